"""`flr evidence`: the full-store audit."""

import argparse
import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from app.canon.evidence import EvidenceStore
from app.cli.output import CannotRun, Commands, command, show, show_progress
from app.settings import Settings

if TYPE_CHECKING:
    from app.governance_ledger import Audited
    from app.postgres import Database


class Audit(msgspec.Struct):
    """What came of it. `problems` are the objects that are neither the same, nor waiting for the store, nor erased."""

    tenant: str
    store: str
    same: int = 0
    waiting: int = 0
    erased: int = 0
    problems: list[dict[str, str]] = []

    @property
    def compared(self) -> int:
        return self.same + self.waiting + self.erased + len(self.problems)

    def take(self, audited: "Audited") -> dict[str, str] | None:
        """Count it; the problem, if it is one."""
        match audited.verdict:
            case "same":
                self.same += 1
            case "waiting":
                self.waiting += 1
            case "erased":
                self.erased += 1
            case _:
                self.problems.append({"key": audited.key, "what": audited.verdict, "says": audited.says})
                return self.problems[-1]
        return None


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "evidence",
        evidence,
        help="compare every object of the evidence store with the ledger",
        about="`flr evidence audit` reads back every object that the ledger of this machine's company names, "
        "evidence and checkpoints, and compares size and SHA-256. Exit code 1 when one is missing or differs. It reads "
        "the whole store: with a bucket that is a download of all of it.",
    )
    parser.add_argument("action", choices=("audit",))


def evidence(arguments: argparse.Namespace, settings: Settings) -> int:
    audit = asyncio.run(_audit(arguments, settings))
    said = f"{audit.compared} objects compared with {audit.store}: {audit.same} the same"
    said += f", {audit.waiting} still wait in the database" if audit.waiting else ""
    said += f", {audit.erased} of erased subjects" if audit.erased else ""
    said += f", {len(audit.problems)} WRONG" if audit.problems else ", none missing, none changed"
    show(arguments, audit, said)
    return int(bool(audit.problems))


async def _audit(arguments: argparse.Namespace, settings: Settings) -> Audit:
    import asyncpg

    from app.adapters.evidence import load_store
    from app.cli.client import company_of
    from app.database_urls import app_url, why_unusable
    from app.postgres import Database

    tenant = company_of(settings).tenant
    store = load_store(
        settings.evidence_url,
        settings.home,
        access_key=settings.evidence_access_key,
        secret_key=settings.evidence_secret_key,
    )
    audit = Audit(str(tenant), settings.evidence_url or str(settings.home / "evidence"))
    try:
        async with Database(app_url(settings), max_size=4) as database:
            await _compare(arguments, database, tenant, store, audit)
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise CannotRun(why_unusable(app_url(settings), error)) from error
    finally:
        await store.close()
    return audit


async def _compare(
    arguments: argparse.Namespace, database: "Database", tenant: UUID, store: EvidenceStore, audit: Audit
) -> None:
    """Prints a problem at once: an audit of hours should not keep it to itself."""
    from app.governance_ledger import audit_evidence, count_evidence

    total = await count_evidence(database, tenant)
    async for audited in audit_evidence(database, tenant, store):
        problem = audit.take(audited)
        if problem is not None and not arguments.json:
            print(f"{problem['what']} {problem['key']}: {problem['says']}", flush=True)
        show_progress(min(audit.compared, total), total)
