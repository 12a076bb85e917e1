-- Take amounts out of all limits of a role at once, or nothing: reserved, or with spend settled in the same moment.
-- Accounts are locked in the order of their ids before anything is read, and what was taken before is read in a statement of
-- its own: only that sees what others have just committed. One call instead of four, while the accounts are locked.
-- outcome: taken, reserved (the step has its reservation), settled (the step is done), or short of the first amount that
-- does not fit; its limit is the one with the least left, 0 where the role has none of that unit.
CREATE FUNCTION role_registry.take(
  tenant uuid, role uuid, ticket uuid, run uuid, at_step integer, units text[], currencies text[], amounts bigint[],
  spend boolean, OUT outcome text, OUT unit text, OUT period text, OUT currency text, OUT most bigint, OUT rest bigint,
  OUT asked bigint)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  accounts uuid[];
  keys text[];
BEGIN
  SELECT array_agg(l.id ORDER BY l.id), array_agg(l.period_key ORDER BY l.id) INTO accounts, keys FROM (
    SELECT a.id, CASE a.period WHEN 'ticket' THEN coalesce(take.ticket::text, '')
             WHEN 'day' THEN to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM-DD')
             ELSE to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM') END AS period_key
      FROM role_registry.budget_accounts a
     CROSS JOIN (SELECT coalesce((SELECT c.time_zone FROM role_registry.companies c LIMIT 1), 'UTC') AS name) z
     WHERE a.role_id IS NOT DISTINCT FROM take.role AND a.active
       AND EXISTS (SELECT FROM unnest(units, currencies) AS w (unit, currency)
                    WHERE w.unit = a.unit AND w.currency = a.currency)
     ORDER BY a.id FOR NO KEY UPDATE OF a) l;
  SELECT CASE WHEN bool_or(r.settled IS NULL) THEN 'reserved' ELSE 'settled' END INTO outcome
    FROM role_registry.budget_reservations r WHERE r.run_id = take.run AND r.step = take.at_step
  HAVING bool_or(r.settled IS NULL) OR bool_or(r.settled > 0);
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  SELECT 'short', w.unit, coalesce(l.period, 'month'), nullif(w.currency, ''), coalesce(l.amount, 0), coalesce(l.rest, 0),
         w.amount
    INTO outcome, unit, period, currency, most, rest, asked
    FROM unnest(units, currencies, amounts) AS w (unit, currency, amount)
    LEFT JOIN LATERAL (
      SELECT a.period, a.amount, a.amount - coalesce(u.reserved, 0) - coalesce(u.spent, 0) AS rest
        FROM unnest(accounts, keys) AS k (account_id, period_key)
        JOIN role_registry.budget_accounts a ON a.id = k.account_id
        LEFT JOIN role_registry.budget_usage u ON u.account_id = k.account_id AND u.period_key = k.period_key
       WHERE a.unit = w.unit AND a.currency = w.currency
       ORDER BY rest, a.id LIMIT 1) l ON true
   WHERE l.rest IS NULL OR w.amount > l.rest
   ORDER BY w.unit, w.currency LIMIT 1;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  WITH kept AS (
    INSERT INTO role_registry.budget_reservations AS r (tenant_id, run_id, step, account_id, period_key, amount,
      reserved_at, settled, settled_at)
    SELECT take.tenant, run, at_step, k.account_id, k.period_key, w.amount, clock.now(),
           CASE WHEN spend THEN w.amount END, CASE WHEN spend THEN clock.now() END
      FROM unnest(accounts, keys) AS k (account_id, period_key)
      JOIN role_registry.budget_accounts a ON a.id = k.account_id
      JOIN unnest(units, currencies, amounts) AS w (unit, currency, amount) ON w.unit = a.unit AND w.currency = a.currency
    ON CONFLICT (run_id, step, account_id) DO UPDATE
       SET period_key = excluded.period_key, amount = excluded.amount, settled = excluded.settled,
           settled_at = excluded.settled_at, reserved_at = excluded.reserved_at
    RETURNING r.account_id, r.period_key, r.amount
  )
  INSERT INTO role_registry.budget_usage AS u (tenant_id, account_id, period_key, reserved, spent)
  SELECT take.tenant, account_id, period_key, CASE WHEN spend THEN 0 ELSE amount END,
         CASE WHEN spend THEN amount ELSE 0 END FROM kept
  ON CONFLICT (account_id, period_key) DO UPDATE
     SET reserved = u.reserved + excluded.reserved, spent = u.spent + excluded.spent;
  outcome := 'taken';
END
$$;
REVOKE ALL ON FUNCTION role_registry.take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION role_registry.take TO flr_app;
