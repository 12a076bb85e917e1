-- An attempt to ring is noted before it is made: it has no status while nobody knows what became of it.
ALTER TABLE founder_console.push_receipts ALTER COLUMN status DROP NOT NULL;
GRANT UPDATE (status, sent_at) ON founder_console.push_receipts TO flr_app;
CREATE INDEX push_receipts_tag ON founder_console.push_receipts (tag, sent_at);
