"""The parser, and the one place where a failure becomes a sentence and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence

from app import settings
from app.canon.errors import Fault, Misconfigured
from app.cli import (
    approving,
    demonstrating,
    doctor,
    evidence,
    keys,
    ledger,
    mcp,
    migrating,
    pruning,
    quorum,
    r2_doctor,
    running,
    secrets,
    servers,
    tokens,
    working,
)
from app.cli.output import CannotRun, Failed, show_failure

GROUPS = (
    running,
    migrating,
    doctor,
    r2_doctor,
    tokens,
    demonstrating,
    working,
    approving,
    quorum,
    evidence,
    pruning,
    ledger,
    keys,
    secrets,
    servers,
    mcp,
)


def main(argv: Sequence[str] | None = None) -> int:
    """0 done; 1 failed; 2 wrong usage; 78 wrong configuration, which starting again would not cure."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "run"):
        parser.print_help()
        return 0
    try:
        return int(arguments.run(arguments, settings.read()) or 0)
    except settings.InvalidSetting as error:
        return show_failure(arguments, CannotRun(str(error)))
    except Misconfigured as fault:
        return show_failure(arguments, CannotRun(str(fault)))
    except Fault as fault:
        return show_failure(arguments, Failed(str(fault)))
    except Failed as failure:
        return show_failure(arguments, failure)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flr",
        description="5-Layer Runtime: employ, bound, audit and evaluate AI workers.",
        epilog="Settings come from the environment: FLR_HOME, FLR_PORT, DATABASE_URL and more (docs/settings.md).",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for group in GROUPS:
        group.add(commands)
    return parser
