-- Reserving or spending for a step in one call: the accounts are locked in id order by the first statement, and the
-- second, whose snapshot is taken after the locks, reads what is left, judges and books. Rights, rows and settings are
-- the caller's.
--
-- p_how: 'reserve' sets aside once, 'more' adds to what is set aside, 'spend' books at once. A want that is not firm
-- counts only where the role has a limit. Gives each account as it stood before, each with the same verdict:
-- 'booked', 'short' (nothing was booked), 'kept' (set aside before), 'settled' (spent before). Without an account, one
-- row with the verdict alone.
CREATE FUNCTION role_registry.book_budgets(
  p_how text, p_run uuid, p_step integer, p_role uuid, p_ticket uuid,
  p_units text[], p_currencies text[], p_amounts bigint[], p_firm boolean[]
) RETURNS TABLE (verdict text, unit text, period text, currency text, amount bigint, spent bigint, reserved bigint,
                 period_key text)
  LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
  PERFORM FROM role_registry.budget_accounts a
    JOIN unnest(p_units, p_currencies) AS w (unit, currency) ON w.unit = a.unit AND w.currency = a.currency
   WHERE a.role_id IS NOT DISTINCT FROM p_role AND a.active
   ORDER BY a.id FOR NO KEY UPDATE OF a;
  RETURN QUERY
  WITH wanted AS (
    SELECT * FROM unnest(p_units, p_currencies, p_amounts, p_firm) AS w (unit, currency, amount, firm)
  ), before AS (
    SELECT bool_or(r.settled IS NULL) AS kept, bool_or(r.settled > 0) AS settled
      FROM role_registry.budget_reservations r WHERE r.run_id = p_run AND r.step = p_step
  ), account AS (
    SELECT a.id, a.unit, a.period, a.currency, a.amount, w.amount AS asked,
           CASE a.period WHEN 'ticket' THEN coalesce(p_ticket::text, '')
                WHEN 'day' THEN to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM-DD')
                ELSE to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM') END AS period_key
      FROM role_registry.budget_accounts a
      JOIN wanted w ON w.unit = a.unit AND w.currency = a.currency
     CROSS JOIN (SELECT coalesce((SELECT c.time_zone FROM role_registry.companies c LIMIT 1), 'UTC') AS name) z
     WHERE a.role_id IS NOT DISTINCT FROM p_role AND a.active
  ), line AS MATERIALIZED (
    SELECT a.*, coalesce(u.spent, 0) AS spent, coalesce(u.reserved, 0) AS reserved
      FROM account a
      LEFT JOIN role_registry.budget_usage u ON u.account_id = a.id AND u.period_key = a.period_key
  ), judged AS MATERIALIZED (
    SELECT CASE
      WHEN p_how = 'reserve' AND before.kept THEN 'kept'
      WHEN before.settled OR (p_how = 'spend' AND before.kept) THEN 'settled'
      WHEN EXISTS (SELECT FROM wanted w WHERE w.firm AND NOT EXISTS (
        SELECT FROM line l WHERE l.unit = w.unit AND l.currency = w.currency)) THEN 'short'
      WHEN EXISTS (SELECT FROM line l WHERE l.asked > greatest(l.amount - l.spent - l.reserved, 0)) THEN 'short'
      ELSE 'booked' END AS verdict
      FROM before
  ), kept AS (
    INSERT INTO role_registry.budget_reservations AS r (tenant_id, run_id, step, account_id, period_key, amount,
      reserved_at, settled, settled_at)
    SELECT nullif(current_setting('app.tenant', true), '')::uuid, p_run, p_step, l.id, l.period_key, l.asked,
           clock.now(), CASE p_how WHEN 'spend' THEN l.asked END, CASE p_how WHEN 'spend' THEN clock.now() END
      FROM line l, judged WHERE judged.verdict = 'booked' ORDER BY l.id
    ON CONFLICT (run_id, step, account_id) DO UPDATE
       SET amount = excluded.amount + CASE WHEN r.settled IS NULL THEN r.amount ELSE 0 END,
           period_key = CASE WHEN r.settled IS NULL THEN r.period_key ELSE excluded.period_key END,
           settled = NULL, settled_at = NULL, reserved_at = excluded.reserved_at
    RETURNING r.tenant_id, r.account_id, r.period_key
  ), used AS (
    INSERT INTO role_registry.budget_usage AS u (tenant_id, account_id, period_key, reserved, spent)
    SELECT k.tenant_id, k.account_id, k.period_key, CASE p_how WHEN 'spend' THEN 0 ELSE l.asked END,
           CASE p_how WHEN 'spend' THEN l.asked ELSE 0 END
      FROM kept k JOIN line l ON l.id = k.account_id ORDER BY k.account_id
    ON CONFLICT (account_id, period_key) DO UPDATE
       SET reserved = u.reserved + excluded.reserved, spent = u.spent + excluded.spent
  )
  SELECT judged.verdict, l.unit, l.period, l.currency, l.amount, l.spent, l.reserved, l.period_key
    FROM judged LEFT JOIN line l ON true ORDER BY l.id;
END
$$;
REVOKE ALL ON FUNCTION role_registry.book_budgets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION role_registry.book_budgets TO flr_app;
