-- How long a run was driven, over all who drove it: what budgets of minutes count.
ALTER TABLE execution_graph.run_leases ADD COLUMN worked_ms bigint NOT NULL DEFAULT 0;
GRANT UPDATE (worked_ms) ON execution_graph.run_leases TO flr_app;
