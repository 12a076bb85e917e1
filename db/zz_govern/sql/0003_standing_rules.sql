SELECT governance_ledger.govern_digest(name::regclass, name, 'id') FROM unnest(ARRAY[
  'role_registry.standing_rules'
]) AS name;
