"""How every command answers: a sentence for a person, or with `--json` one JSON value on stdout."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from app.canon.values import upright
from app.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace, Settings], int | None]

BAR_WIDTH = 40


class Failed(Exception):
    """The command could not do what it was asked. The message is a sentence for a person."""

    code = 1


class CannotRun(Failed):
    """The configuration is wrong: starting again would not help."""

    code = 78


def command(commands: Commands, name: str, run: Run, *, help: str, about: str = "") -> argparse.ArgumentParser:  # noqa: A002
    """Add one command; its parser comes back for the arguments. `--json` is everywhere."""
    parser = commands.add_parser(name, help=help, description=about or help)
    parser.add_argument("--json", action="store_true", help="answer with one JSON value")
    parser.set_defaults(run=run)
    return parser


def show(arguments: argparse.Namespace, value: Any, text: str) -> None:
    """Print `value` as JSON when `--json` was given, else `text`, in which nothing steers the terminal."""
    print(msgspec.json.encode(value).decode() if arguments.json else upright(text, terminal=True))


def show_failure(arguments: argparse.Namespace, failure: Failed) -> int:
    """Print one sentence to stderr, and with `--json` an object to stdout; the exit code comes back."""
    if getattr(arguments, "json", False):
        print(msgspec.json.encode({"error": str(failure)}).decode())
    print(upright(f"flr: {failure}", terminal=True), file=sys.stderr)
    return failure.code


def show_progress(done: int, total: int) -> None:
    """A bar on stderr, drawn over itself; nothing where nobody watches. `done` equal to `total` ends it."""
    if not sys.stderr.isatty():
        return
    share = done / total if total else 1.0
    bar = "#" * int(share * BAR_WIDTH)
    print(f"\r[{bar:<{BAR_WIDTH}}] {done}/{total}", end="" if done < total else "\n", file=sys.stderr, flush=True)
