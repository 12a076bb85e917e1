-- A program may write several files in one step; what it made of secret files is secret.
ALTER TABLE execution_graph.documents
  ADD COLUMN secret boolean NOT NULL DEFAULT false,
  DROP CONSTRAINT documents_run_id_step_key,
  ADD CONSTRAINT documents_of_step UNIQUE (run_id, step, name);
