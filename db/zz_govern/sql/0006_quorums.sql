RESET ROLE;
SELECT governance_ledger.govern_digest('work_queue.quorums'::regclass, 'work_queue.quorums', 'id');
