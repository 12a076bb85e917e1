RESET ROLE;
SELECT governance_ledger.govern_presence('founder_console.revoked_tokens'::regclass, 'founder_console.revoked_tokens', 'id');
