"""`flr ledger`: take the ledger away as a file, and verify such a file."""

import argparse
import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import to_builtins

from app.cli import erasing
from app.cli.output import CannotRun, Commands, Failed, command, show, show_progress
from app.settings import Settings
from app.verifier import command as verifier
from app.verifier.errors import KeyUnknown, NotAnExport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from app.canon.evidence import EvidenceStore
    from app.governance_ledger import Case, Exported
    from app.postgres import Database


class Unreadable(Failed):
    """The file or the key cannot be read."""

    code = 2


def add(commands: Commands) -> None:
    parser = commands.add_parser(
        "ledger",
        help="export the ledger, make a case file, verify either offline",
        description="Take the ledger away as a file that anyone can verify with the sealer's public key.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    _add_export(actions)
    _add_case(actions)
    erasing.add(actions)
    verify_ = command(
        actions, "verify", verify, help="verify an export or a case file; no database needed", about=verifier.ABOUT
    )
    verifier.add_arguments(verify_)


def _add_export(actions: Commands) -> None:
    parser = command(
        actions,
        "export",
        export,
        help="write the signed part of the ledger to a file",
        about="Writes what signed checkpoints cover: events with their hashes and receipts, checkpoints, public keys "
        "and the row changes of Law 17; with --evidence the evidence too. An interrupted export goes on where it stood "
        "when the same command is given again.",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: ledger-<tenant>.ndjson.zst")
    parser.add_argument("--from-seq", type=int, metavar="N", help="the first event (default: 1)")
    parser.add_argument("--to-seq", type=int, metavar="N", help="the last event (default: the last that is signed)")
    parser.add_argument("--since", type=_moment, metavar="TIME", help="events sealed at this time or later")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="events sealed before this time")
    parser.add_argument("--no-changes", action="store_true", help="leave row changes and their images out")
    parser.add_argument("--evidence", action="store_true", help="take the bytes of the evidence along")


def _add_case(actions: Commands) -> None:
    parser = command(
        actions,
        "case",
        case,
        help="write the case file of one ticket",
        about="One archive with the ticket's events and their proofs, the decisions and keys that they rest on, the "
        "evidence, and a page to read. Anyone can verify it with `flr ledger verify`.",
    )
    parser.add_argument("ticket", type=UUID, help="the ticket's id")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: case-<ticket>.zip")
    parser.add_argument("--language", choices=("id", "en"), default="en", help="of the page to read")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.astimezone()


def export(arguments: argparse.Namespace, settings: Settings) -> None:
    exported = asyncio.run(_export(arguments, settings))
    said = f"{exported.file}: events {exported.from_seq} to {exported.to_seq}, {exported.size_bytes} bytes"
    said += "" if exported.resumed_at is None else f" (went on after event {exported.resumed_at})"
    show(arguments, exported, f"{said}\nVerify it with `flr ledger verify {exported.file} --key KEY`.")


async def _export(arguments: argparse.Namespace, settings: Settings) -> "Exported":
    from app.cli.client import company_of
    from app.governance_ledger import Wanted, export_to_file, public_keys

    tenant = company_of(settings).tenant
    out: Path = arguments.out or Path(f"ledger-{tenant}.ndjson.zst")
    wanted = Wanted(
        from_seq=arguments.from_seq,
        to_seq=arguments.to_seq,
        since=arguments.since,
        until=arguments.until,
        changes=not arguments.no_changes,
        evidence=arguments.evidence,
    )
    async with opened(settings) as (database, store):
        jwks = public_keys(settings.keys)
        return await export_to_file(database, tenant, wanted, out, store=store, jwks=jwks, progress=show_progress)


def opened(settings: Settings) -> "AbstractAsyncContextManager[tuple[Database, EvidenceStore]]":
    """This machine's database and evidence store. Raises `CannotRun`."""
    from contextlib import asynccontextmanager

    import asyncpg

    from app.adapters.evidence import load_store
    from app.database_urls import app_url, why_unusable
    from app.postgres import Database

    @asynccontextmanager
    async def both() -> "AsyncIterator[tuple[Database, EvidenceStore]]":
        store = load_store(
            settings.evidence_url,
            settings.home,
            access_key=settings.evidence_access_key,
            secret_key=settings.evidence_secret_key,
        )
        database = Database(app_url(settings), max_size=4)
        try:
            await database.connect()
        except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
            await store.close()
            raise CannotRun(why_unusable(app_url(settings), error)) from error
        try:
            yield database, store
        finally:
            await database.close()
            await store.close()

    return both()


def case(arguments: argparse.Namespace, settings: Settings) -> None:
    out: Path = arguments.out or Path(f"case-{arguments.ticket}.zip")
    made = asyncio.run(_case(arguments, settings, out))
    said = f"{out}: {made.events} events and {made.evidence} pieces of evidence, under checkpoint "
    said += f"{made.checkpoint.serial} over {made.checkpoint.size} events"
    show(arguments, {"file": str(out), **to_builtins(made)}, said)


async def _case(arguments: argparse.Namespace, settings: Settings, out: Path) -> "Case":
    from app.cli.client import company_of
    from app.governance_ledger import make_case, public_keys

    tenant, part = company_of(settings).tenant, out.with_name(f"{out.name}.part")
    async with opened(settings) as (database, store):
        with part.open("wb") as file:
            made = await make_case(
                database,
                tenant,
                arguments.ticket,
                file,
                store=store,
                jwks=public_keys(settings.keys),
                language=arguments.language,
            )
    part.replace(out)
    return made


def verify(arguments: argparse.Namespace, settings: Settings) -> int:
    del settings
    try:
        said, text, code = verifier.told(*verifier.run(arguments))
    except (NotAnExport, KeyUnknown) as error:
        raise Unreadable(str(error)) from error
    show(arguments, said, text)
    return code
