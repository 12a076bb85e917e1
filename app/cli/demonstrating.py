"""`flr demo`: the demo company; `flr found`: one's own; `flr enrol`: a one-time link for the founder's phone."""

import argparse
import asyncio
import io
from typing import TYPE_CHECKING

from app.cli.output import CannotRun, Commands, Failed, command, show
from app.settings import Settings

if TYPE_CHECKING:
    from app.cli.founding import Founded


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        demo,
        help="make the demo company, or a fresh one",
        about="A small coffee company with three AI workers and ten tickets; plays through with no key and no "
        "network. `flr demo reset` starts it afresh as a new company: the old one stays in the ledger, which nothing "
        "can delete.",
    )
    parser.add_argument("action", nargs="?", choices=("start", "reset"), default="start")
    own = command(
        commands,
        "found",
        found,
        help="found your own company, empty",
        about="From then on this machine's commands speak for it. Its first link is printed; the console leads on "
        "from there.",
    )
    own.add_argument("name", help="the company's name")
    own.add_argument("--founder", required=True, metavar="NAME", help="your name")
    own.add_argument("--language", choices=("id", "en"), default="id")
    own.add_argument("--currency", default="IDR", metavar="ISO", help="what amounts are in (default IDR)")
    own.add_argument("--time-zone", default="Asia/Jakarta", metavar="ZONE", help="default Asia/Jakarta")
    command(
        commands,
        "enrol",
        enrol,
        help="print a one-time link that makes a phone the founder's",
        about="The link opens the console's first page, where the phone makes its passkey. It is valid once.",
    )


def demo(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.founding import FILE

    if arguments.action == "start" and (settings.home / FILE).exists():
        from app.cli.client import company_of

        founded = company_of(settings)
        show(arguments, founded, f"{founded.name} is there already; `flr demo reset` starts the demo afresh.")
        return
    founded = asyncio.run(_seed(settings))
    show(
        arguments, founded, f"{founded.name} is there: three workers, ten tickets. `flr enrol` prints the phone's link."
    )


def found(arguments: argparse.Namespace, settings: Settings) -> None:
    link = asyncio.run(_found(arguments, settings))
    told = f"{arguments.name} is founded. Open this link on the founder's phone, once:\n{link}"
    show(
        arguments, {"name": arguments.name, "link": link}, f"{told}\n{_qr(link)}" if link.startswith("https:") else told
    )


async def _found(arguments: argparse.Namespace, settings: Settings) -> str:
    import asyncpg

    from app.cli.founding import found_company, speak_for
    from app.database_urls import app_url, why_unusable

    try:
        founded = await found_company(
            settings,
            name=arguments.name,
            founder=arguments.founder,
            language=arguments.language,
            currency=arguments.currency,
            time_zone=arguments.time_zone,
        )
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise CannotRun(why_unusable(app_url(settings), error)) from error
    speak_for(settings.home, founded)
    return await enrolment(settings)


async def _seed(settings: Settings) -> "Founded":
    import asyncpg

    from app.cli.demo.seeding import seed_demo
    from app.database_urls import app_url, why_unusable

    try:
        return await seed_demo(settings)
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise CannotRun(why_unusable(app_url(settings), error)) from error


def enrol(arguments: argparse.Namespace, settings: Settings) -> None:
    link = asyncio.run(enrolment(settings))
    show(arguments, {"link": link}, f"{link}\n{_qr(link)}" if link.startswith("https:") else link)


def _qr(link: str) -> str:
    """The link for a phone's camera; only an https address is one a phone can make passkeys at."""
    import segno

    drawn = io.StringIO()
    segno.make(link).terminal(drawn, compact=True)
    return drawn.getvalue()


async def enrolment(settings: Settings) -> str:
    """A fresh one-time link. Raises `Failed` when there is no company or no database."""
    from app.cli.client import company_of
    from app.cli.founding import enrolment_link
    from app.database_urls import app_url
    from app.postgres import Database

    founded = company_of(settings)
    try:
        async with Database(app_url(settings), max_size=1) as database, database.transaction(founded.tenant) as tx:
            return await enrolment_link(tx, settings, founded)
    except OSError as error:
        raise Failed(f"the database does not answer ({error}): start it with `flr serve`") from error
