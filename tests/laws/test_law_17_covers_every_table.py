"""Law 17 stands on every table that the application may write, or the table stands here with its reason."""

import asyncpg

EXEMPT = {
    "governance_ledger.governance_events": "the ledger itself: write once",
    "governance_ledger.ledger_verifications": "how far a reader has verified; write once",
    "governance_ledger.ledger_receipts": "what a caller was handed for the event beside it, signed; write once",
    "governance_ledger.evidence_objects": "registers bytes that an event names by hash; write once",
    "governance_ledger.evidence_spool": "the same bytes on their way to the store",
    "execution_graph.run_steps": "the journal: each tool call in it has its own event",
    "execution_graph.outside_sessions": "who outside may propose now: a lease, no act",
    "execution_graph.outside_proposals": "what is asked for; whatever the gate makes of it has its own event",
    "execution_graph.run_leases": "a heartbeat is no act",
    "role_registry.budget_reservations": "derived from the tool events, recomputable from them",
    "role_registry.budget_usage": "derived from the reservations, recomputable from them",
    "role_registry.secret_values": "sealed values, which must leave no image behind; what they are for is in secrets",
    "work_queue.ticket_inputs": "names evidence that the event of its ticket carries",
    "work_queue.idempotency_keys": "remembers answers that were given; expires",
    "work_queue.deliveries": "ids and counters of the queue",
    "founder_console.founders": "who may sign in; read by the ledger's reader through its enrolment events",
    "founder_console.enrolments": "hashes of one-time links; the use of one appends an event",
    "founder_console.passkeys": "public keys and their counters; each decision's own proof is in its event",
    "founder_console.device_keys": "public keys; each decision's own proof is in its event",
    "founder_console.recovery_codes": "hashes of one-time codes",
    "founder_console.sessions": "who is signed in now; no act",
    "founder_console.challenges": "single-use nonces; expire",
    "founder_console.push_subscriptions": "addresses of browsers",
    "founder_console.push_receipts": "what the push service answered",
    "founder_console.used_action_tokens": "single-use marks; expire",
    "founder_console.tallies": "a reading of the ledger, counted anew when it is deleted",
    "founder_console.tally_marks": "how far the ledger is counted",
    "founder_console.visits": "when a founder last looked; no act",
    "founder_console.payment_deliveries": "a log of what was delivered; what counts of it is a revenue.recorded event",
    "founder_console.telegram_codes": "hashes of one-time codes",
    "founder_console.telegram_chats": "where a founder is told; an event says that the channel was set",
    "founder_console.webhooks": "where a founder is told; an event says that the channel was set",
    "founder_console.notices": "what a channel answered; each rung has its own event",
    "founder_console.held_rings": "what did not ring in quiet hours; derived",
}
# The queue's and the checkpointer's own tables hold ids only; a prefix for what their libraries name.
EXEMPT_PREFIXES = (
    "work_queue.pgqueuer",
    "execution_graph.checkpoint",
    "execution_graph.writes",
    "execution_graph.store",
)

_WRITABLE = """
SELECT n.nspname || '.' || c.relname AS name,
       (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A'
           AND t.tgname IN ('zz_law_id', 'zz_law_u', 'zz_law_t')) = 3 AS governed
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND (has_any_column_privilege('flr_app', c.oid, 'INSERT, UPDATE') OR has_table_privilege('flr_app', c.oid, 'DELETE'))
"""


async def test_every_table_the_application_writes_is_governed_or_exempt_with_a_reason(
    superuser: asyncpg.Connection,
) -> None:
    rows = await superuser.fetch(_WRITABLE)
    open_tables = {row["name"] for row in rows if not row["governed"] and not row["name"].startswith(EXEMPT_PREFIXES)}
    assert open_tables == set(EXEMPT)


async def test_the_tables_of_consequence_are_governed(superuser: asyncpg.Connection) -> None:
    forms = await superuser.fetch(
        "SELECT tgrelid::regclass::text AS name, tgfoid::regproc::text AS form FROM pg_trigger "
        "WHERE tgname = 'zz_law_id'"
    )
    assert {row["name"]: row["form"].removeprefix("governance_ledger.") for row in forms} == {
        "execution_graph.documents": "law_presence",
        "execution_graph.notes": "law_presence",
        "execution_graph.payments": "capture",
        "execution_graph.runs": "law_presence",
        "role_registry.ai_role_versions": "capture",
        "role_registry.ai_roles": "capture",
        "role_registry.budget_accounts": "capture",
        "role_registry.companies": "capture",
        "role_registry.standing_rules": "capture",
        "governance_ledger.checkpoint_subscribers": "law_presence",
        "governance_ledger.subject_keys": "law_presence",
        "founder_console.payment_sources": "law_presence",
        "founder_console.revoked_tokens": "law_presence",
        "role_registry.known_parties": "law_presence",
        "role_registry.secrets": "capture",
        "role_registry.tool_servers": "capture",
        "work_queue.approval_decisions": "capture",
        "work_queue.approvals": "law_presence",
        "work_queue.mandates": "capture",
        "work_queue.quorums": "capture",
        "work_queue.tickets": "law_presence",
    }


async def test_no_governed_table_has_a_column_that_its_image_would_miss(superuser: asyncpg.Connection) -> None:
    """A virtual generated column is null in what a trigger sees, and a value in the row."""
    rows = await superuser.fetch(
        "SELECT a.attrelid::regclass::text AS name, a.attname FROM pg_attribute a WHERE a.attgenerated = 'v' "
        "AND a.attrelid IN (SELECT tgrelid FROM pg_trigger WHERE tgname = 'zz_law_id')"
    )
    assert [tuple(row) for row in rows] == []


async def test_no_business_transaction_notifies_for_the_ledger(superuser: asyncpg.Connection) -> None:
    """NOTIFY takes a lock at commit that all transactions share: only the sealer tells, once for each batch."""
    rows = await superuser.fetch(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = 'governance_ledger' AND p.prosrc ~* 'notify' ORDER BY 1"
    )
    assert [row["proname"] for row in rows] == ["seal"]


# What the application or the sealer may call; the others are the Law's own triggers.
CALLED = {
    "governance_ledger.gather(uuid,text[])": {"flr_law", "flr_app"},
    "governance_ledger.subjects_wrapped_by(text)": {"flr_law", "flr_app"},
    "governance_ledger.unsealed()": {"flr_law", "flr_app", "flr_sealer"},
}


async def test_every_definer_function_is_pinned_and_nobody_elses(superuser: asyncpg.Connection) -> None:
    rows = await superuser.fetch(
        "SELECT p.oid::regprocedure::text AS name, n.nspname, p.proconfig, p.proacl::text AS rights FROM pg_proc p "
        "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef ORDER BY 1"
    )
    assert {"law_presence()", "law_digest()", "capture()"} <= {row["name"].partition(".")[2] for row in rows}
    for row in rows:
        assert "search_path=pg_catalog, pg_temp" in row["proconfig"], row["name"]
        holders = {right.partition("=")[0] for right in row["rights"].strip("{}").split(",")}
        assert "" not in holders, f"{row['name']}: an empty name is everybody"
        if row["nspname"] == "governance_ledger":
            assert holders <= CALLED.get(row["name"], {"flr_law", "flr_owner"}), row["name"]
