-- The arguments of a held call as the founder changed them (canonical JSON); `request` stays what the worker asked for.
ALTER TABLE execution_graph.run_steps ADD COLUMN edited text;
GRANT UPDATE (edited) ON execution_graph.run_steps TO flr_app;
