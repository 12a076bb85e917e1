"""`flr prune`: take the bodies of old journals away, and checkpoints that were left behind."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from app.cli.output import CannotRun, Commands, command, show
from app.settings import LEAST_JOURNAL_DAYS, Settings

if TYPE_CHECKING:
    from app.execution_graph import Pruned


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "prune",
        prune,
        help="take requests and answers of old runs out of the journal",
        about="Of runs of this machine's company that closed longer ago than the days given, the recorded requests and "
        "answers go; steps, times and costs stay, and so do the ledger and the evidence. Never of open work, of a call "
        "whose outcome nobody knows, nor of the last 32 days. Checkpoints of closed runs go, too. Workers do the same "
        "every hour by FLR_JOURNAL_DAYS.",
    )
    parser.add_argument(
        "--days", type=int, help="older than so many days (default: FLR_JOURNAL_DAYS; 0: checkpoints only)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only count")


def prune(arguments: argparse.Namespace, settings: Settings) -> None:
    days = settings.journal_days if arguments.days is None else arguments.days
    if days != 0 and days < LEAST_JOURNAL_DAYS:
        raise CannotRun(f"--days {days} is too short: give at least {LEAST_JOURNAL_DAYS}, or 0 for checkpoints only")
    gone = asyncio.run(_prune(settings, days, dry=arguments.dry_run))
    would = "would be " if arguments.dry_run else ""
    said = f"{gone.runs} runs {would}pruned: {gone.steps} steps, {gone.bytes} bytes"
    said += f"; {gone.checkpoints} rows of checkpoints"
    show(arguments, gone, said)


async def _prune(settings: Settings, days: int, *, dry: bool) -> "Pruned":
    import asyncpg

    from app.cli.client import company_of
    from app.database_urls import app_url, why_unusable
    from app.execution_graph import prune_tenant, would_prune
    from app.postgres import Database

    tenant, url = company_of(settings).tenant, app_url(settings)
    try:
        async with Database(url, max_size=2) as database:
            if not dry:
                return await prune_tenant(database, tenant, days, actor="system:cli")
            async with database.transaction(tenant) as tx:
                return await would_prune(tx, days)
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise CannotRun(why_unusable(url, error)) from error
