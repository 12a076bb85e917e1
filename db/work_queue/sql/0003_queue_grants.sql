-- The queue's tables hold ids only: no tenant column, no policy.
GRANT SELECT, INSERT, UPDATE, DELETE ON work_queue.pgqueuer, work_queue.pgqueuer_log, work_queue.pgqueuer_schedules,
  work_queue.pgqueuer_statistics TO flr_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA work_queue TO flr_app;
GRANT USAGE ON TYPE work_queue.pgqueuer_status TO flr_app;
