"""`flr doctor`: what is embedded, what is external, which protections are active, and what is still to be set."""

import argparse
import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from app.cli.output import Commands, command, show
from app.settings import Settings

if TYPE_CHECKING:
    import asyncpg

Status: TypeAlias = Literal["ok", "todo", "wrong"]
MARKS = {"ok": "ok   ", "todo": "todo ", "wrong": "WRONG"}
FREE_BYTES = 500_000_000
PURPOSES = ("token", "approval", "receipt", "seal")


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the report. `next_step` is empty when nothing is to be done."""

    area: str
    status: Status
    says: str
    next_step: str = ""


def add(commands: Commands) -> None:
    command(
        commands,
        "doctor",
        doctor,
        help="say what is set up, what protects the ledger, and what is still to do",
        about="Exit code 0 when nothing is wrong; things still to do (a phone, mail, a model) are not wrong.",
    )


def doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    findings = [*_machine(settings), *_keys(settings), *asyncio.run(_database(settings)), *_outside(settings)]
    show(arguments, findings, "\n".join(_line(finding) for finding in findings))
    return int(any(finding.status == "wrong" for finding in findings))


def _line(finding: Finding) -> str:
    step = f"\n         -> {finding.next_step}" if finding.next_step else ""
    return f"{MARKS[finding.status]} {finding.area}: {finding.says}{step}"


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding("python", "ok", sys.version.split()[0])
    home = settings.home
    if not home.exists():
        yield Finding("home", "todo", f"{home} does not exist yet", "run `flr serve` once")
        return
    free = shutil.disk_usage(home).free
    says = f"{home}, {free // 1_000_000} MB free"
    if free < FREE_BYTES:
        yield Finding("home", "wrong", says, f"free at least {FREE_BYTES // 1_000_000} MB there")
    else:
        yield Finding("home", "ok", says)
    yield _sandbox()


def _sandbox() -> Finding:
    from app.adapters.sandbox import NoSandbox, bubblewrap

    try:
        return Finding("sandbox", "ok", f"{bubblewrap()}: code and local MCP servers run locked away")
    except NoSandbox as missing:
        return Finding("sandbox", "todo", f"run_python and local MCP servers are refused: {missing}")


def _keys(settings: Settings) -> Iterator[Finding]:
    paths = sorted(path for path in settings.keys.glob("*") if path.suffix in (".pem", ".key"))
    missing = [
        kind for kind in (*PURPOSES, "subjects", "vault") if not any(path.name.startswith(f"{kind}-") for path in paths)
    ]
    if missing:
        yield Finding("keys", "todo", f"no {', '.join(missing)} key in {settings.keys}", "run `flr migrate`")
    open_ones = [path.name for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_ones:
        yield Finding("keys", "wrong", f"others may read {', '.join(open_ones)}", f"chmod 600 {settings.keys}/*.*")
    elif paths:
        yield Finding("keys", "ok", f"{len(paths)} private keys, readable by {_owner_name()} alone")


def _owner_name() -> str:
    return "this user" if os.geteuid() else "root"


async def _database(settings: Settings) -> list[Finding]:
    import asyncpg

    from app.database_urls import owner_url, why_unusable

    kind = "external" if settings.database_url else "embedded in FLR_HOME"
    try:
        connection = await asyncpg.connect(owner_url(settings), timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        step = "start it with `flr serve`" if settings.database_url is None else "see DATABASE_URL"
        return [Finding("database", "wrong", why_unusable(owner_url(settings), error), step)]
    try:
        version = await connection.fetchval("SHOW server_version")
        return [
            Finding("database", "ok", f"PostgreSQL {version}, {kind}"),
            *await _protections(connection),
            *await _attestors(settings, connection),
        ]
    finally:
        await connection.close()


OPEN_TABLES = """
SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
  AND n.nspname IN ('governance_ledger', 'work_queue', 'role_registry', 'execution_graph', 'founder_console')
ORDER BY 1
"""
SLEEPING_TRIGGERS = """
SELECT tgrelid::regclass::text || '.' || tgname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'governance_ledger' AND NOT tgisinternal AND tgenabled <> 'A' ORDER BY 1
"""
WORM_TRIGGERS = """
SELECT count(*) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'governance_ledger' AND NOT tgisinternal
"""
GUARDS = "SELECT count(*) FROM pg_catalog.pg_event_trigger WHERE evtname LIKE 'flr_guard%' AND evtenabled <> 'D'"
POWERFUL = """
SELECT rolname FROM pg_catalog.pg_roles
WHERE rolname LIKE 'flr\\_%' AND (rolsuper OR rolbypassrls OR rolcreaterole) ORDER BY 1
"""


async def _protections(connection: "asyncpg.Connection") -> list[Finding]:
    if await connection.fetchval("SELECT to_regclass('governance_ledger.governance_events')") is None:
        return [Finding("schema", "todo", "the database has no schema yet", "run `flr migrate`")]
    unguarded = [row[0] for row in await connection.fetch(OPEN_TABLES)]
    sleeping = [row[0] for row in await connection.fetch(SLEEPING_TRIGGERS)]
    powerful = [row[0] for row in await connection.fetch(POWERFUL)]
    triggers = await connection.fetchval(WORM_TRIGGERS)
    return [
        _none_of("tenants", unguarded, "row-level security is forced on every table of a tenant", "not forced on"),
        _none_of(
            "ledger", sleeping, f"{triggers} ledger and Law 17 triggers, all always enabled", "not enabled always:"
        ),
        _none_of("roles", powerful, "no role of the product has more power than its grants", "too powerful:"),
        await _guards(connection),
        await _catalogue(connection),
    ]


def _none_of(area: str, found: list[str], says: str, complaint: str) -> Finding:
    if found:
        return Finding(
            area, "wrong", f"{complaint} {', '.join(found)}", "run `flr migrate`; if it stays, restore the schema"
        )
    return Finding(area, "ok", says)


SHOWN = 12


async def _catalogue(connection: "asyncpg.Connection") -> Finding:
    from app.governance_ledger import compare_catalogue

    differences = await compare_catalogue(connection)
    if not differences:
        return Finding("catalogue", "ok", "triggers, functions, grants, policies and roles are as pinned")
    shown = [*differences[:SHOWN], *([f"{len(differences) - SHOWN} more"] if len(differences) > SHOWN else [])]
    step = "if no migration is due (`flr migrate`), somebody changed the schema: find out who, restore it from db/"
    return Finding("catalogue", "wrong", f"{len(differences)} facts differ: " + "; ".join(shown), step)


async def _guards(connection: "asyncpg.Connection") -> Finding:
    if await connection.fetchval(GUARDS):
        return Finding("schema guard", "ok", "changes of the ledger's schema are refused, for its owner too")
    return Finding(
        "schema guard",
        "todo",
        "no event triggers: this server gives nobody the right, so its owner could change the ledger's schema",
        "keep the owner's password away from this machine; checkpoints held outside show any rewrite",
    )


ATTESTORS = """
SELECT kind, name, max(size) AS size, bool_or(refused) AS refused,
       (array_agg(error) FILTER (WHERE error IS NOT NULL))[1] AS error
  FROM governance_ledger.ledger_attestors GROUP BY kind, name ORDER BY kind, name
"""


async def _attestors(settings: Settings, connection: "asyncpg.Connection") -> list[Finding]:
    """Who outside attests the checkpoints, and what they say."""
    from app.canon.errors import Misconfigured
    from app.governance_ledger import load_trust

    try:
        trust = load_trust(settings.witnesses, settings.timestamp_certificates)
    except Misconfigured as error:
        return [Finding("attestors", "wrong", str(error), "correct the setting: the sealer does not start with it")]
    if not trust.witnesses and settings.timestamp_url is None:
        says = "none: who rewrites the ledger and its checkpoints shows only against checkpoints kept elsewhere"
        return [Finding("attestors", "ok", says)]
    if await connection.fetchval("SELECT to_regclass('governance_ledger.ledger_attestors')") is None:
        return []
    rows = await connection.fetch(ATTESTORS)
    return [_attestor(settings, row) for row in rows] or [Finding("attestors", "todo", "none has answered yet")]


def _attestor(settings: Settings, row: "asyncpg.Record") -> Finding:
    area = f"{row['kind']} {row['name']}"
    if row["refused"]:
        step = "somebody rewrote the ledger, or restored an old copy of it: compare it with an export kept elsewhere"
        return Finding(area, "wrong", str(row["error"]), step)
    if row["error"]:
        return Finding(area, "todo", str(row["error"]), _log_key(settings) if row["kind"] == "witness" else "")
    return Finding(area, "ok", f"attested {row['size']} events")


def _log_key(settings: Settings) -> str:
    from app.auth import load_public_keys, raw_public
    from app.cli.founding import NoCompany, read_founded
    from app.governance_ledger import log_verifier_key

    try:
        tenant = read_founded(settings.home).tenant
    except NoCompany:
        return ""
    keys = load_public_keys(settings.keys, "seal").values()
    return "it needs to know this log: " + " ".join(log_verifier_key(tenant, raw_public(key)) for key in keys)


def _outside(settings: Settings) -> Iterator[Finding]:
    yield Finding("evidence", "ok", settings.evidence_url or f"folder {settings.home / 'evidence'}")
    yield _model(settings)
    if settings.smtp_url is None:
        yield Finding("mail", "todo", "workers cannot send mail", "set FLR_SMTP_URL=smtp://user:password@host:587")
    else:
        yield Finding("mail", "ok", f"through {urlsplit(settings.smtp_url).hostname}")
    yield _phone(settings)


def _model(settings: Settings) -> Finding:
    if settings.model_base_url is None:
        step = "set FLR_MODEL_BASE_URL, FLR_MODEL_API_KEY and FLR_MODEL for a model that thinks"
        return Finding("model", "todo", "scripted: answers follow rules, no model thinks", step)
    if settings.model_api_key is None:
        return Finding("model", "ok", f"{settings.model_name} at {settings.model_base_url}, without a key")
    return Finding("model", "ok", f"{settings.model_name} at {settings.model_base_url}")


def _phone(settings: Settings) -> Finding:
    if settings.public_url is None:
        step = "put an https address in front and set FLR_PUBLIC_URL=https://..."
        return Finding("phone", "todo", f"the console is reachable on this machine only, at {settings.origin}", step)
    if not settings.public_url.startswith("https://"):
        return Finding("phone", "wrong", "passkeys and push need https", "set FLR_PUBLIC_URL=https://...")
    return Finding("phone", "ok", settings.origin)
