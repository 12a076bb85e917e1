-- A run whose journal is full ends as `continued`, and a next part of the same ticket goes on. Steps are numbered through
-- all parts; `first_run_id` is the first part's, null in that part itself.
ALTER TABLE execution_graph.runs DROP CONSTRAINT runs_status_check;
ALTER TABLE execution_graph.runs ADD CONSTRAINT runs_status_check CHECK (status IN
  ('queued', 'running', 'held', 'paused', 'continued', 'done', 'returned', 'refused', 'failed', 'cancelled', 'diverged'));
ALTER TABLE execution_graph.runs
  ADD COLUMN continues uuid REFERENCES execution_graph.runs (id),
  ADD COLUMN first_run_id uuid REFERENCES execution_graph.runs (id),
  ADD COLUMN part_number int NOT NULL DEFAULT 1 CHECK (part_number >= 1),
  ADD COLUMN first_step int NOT NULL DEFAULT 1 CHECK (first_step >= 1),
  ADD CONSTRAINT runs_parts CHECK ((part_number = 1) = (continues IS NULL) AND (part_number = 1) = (first_run_id IS NULL));
CREATE UNIQUE INDEX runs_one_next ON execution_graph.runs (continues) WHERE continues IS NOT NULL;
CREATE INDEX runs_of_first ON execution_graph.runs (first_run_id) WHERE first_run_id IS NOT NULL;

-- Why the runtime ended a run, as a word that the console says in the founder's language; empty where the worker did.
ALTER TABLE execution_graph.runs ADD COLUMN cause text NOT NULL DEFAULT '';
GRANT UPDATE (cause) ON execution_graph.runs TO flr_app;
