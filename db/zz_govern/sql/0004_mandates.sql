RESET ROLE;
SELECT governance_ledger.govern_digest('work_queue.mandates'::regclass, 'work_queue.mandates', 'id');
