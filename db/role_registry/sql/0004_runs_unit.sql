-- A role may also be limited in how many runs it begins: the cap of a model that is paid by the month.
ALTER TABLE role_registry.budget_accounts
  DROP CONSTRAINT budget_accounts_unit_check,
  ADD CONSTRAINT budget_accounts_unit_check
    CHECK (unit IN ('usd_micros', 'tokens', 'calls', 'money', 'minutes', 'runs'));
