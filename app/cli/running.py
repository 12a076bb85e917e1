"""`flr serve` runs everything on one machine; `flr api`, `flr worker` and `flr sealer` run one kind each."""

import argparse

from app.cli.output import CannotRun, Commands, Failed, command
from app.settings import Settings


def add(commands: Commands) -> None:
    serve_parser = command(
        commands,
        "serve",
        serve,
        help="run everything on this machine",
        about="Start the database, migrate it, then run API, worker and sealer until Ctrl-C.",
    )
    serve_parser.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes (default 1)")
    serve_parser.add_argument("--no-demo", action="store_true", help="do not make the demo company where there is none")
    command(commands, "api", api, help="run the web API and the console only")
    command(commands, "worker", worker, help="run one worker only; several may run, on any number of hosts")
    command(commands, "sealer", sealer, help="run the ledger's sealer only; a second one waits for the first")


def serve(arguments: argparse.Namespace, settings: Settings) -> None:
    """Until a signal. Raises `Failed` with one sentence when something cannot be brought up."""
    from app.machine import PortTaken, run_machine
    from app.own_postgres import DatabaseUnusable
    from app.supervisor import ChildFailed

    try:
        run_machine(settings, workers=arguments.workers, demo=not arguments.no_demo)
    except (DatabaseUnusable, PortTaken) as error:
        raise CannotRun(str(error)) from error
    except ChildFailed as error:
        failure = Failed(str(error))
        failure.code = error.code
        raise failure from error


def api(_: argparse.Namespace, settings: Settings) -> int:
    from app.machine import PortTaken, refuse_taken_port

    try:
        refuse_taken_port(settings)
    except PortTaken as error:
        raise CannotRun(str(error)) from error
    import app.main

    return app.main.serve(settings)


def worker(_: argparse.Namespace, settings: Settings) -> int:
    import app.worker

    return app.worker.serve(settings)


def sealer(_: argparse.Namespace, settings: Settings) -> int:
    import app.sealer

    return app.sealer.serve(settings)
