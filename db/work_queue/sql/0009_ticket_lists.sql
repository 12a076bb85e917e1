-- Lists are newest first within a status: with this index a page costs the same however many tickets there are. Nothing
-- asks by priority any more; what is due is found among the few that are not closed.
CREATE INDEX tickets_newest_of_status ON work_queue.tickets (tenant_id, status, id DESC);
DROP INDEX work_queue.tickets_tenant_id_status_priority_due_at_id_idx;
