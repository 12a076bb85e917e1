"""`flr r2-doctor`: what the configured bucket enforces, tried out on the bucket itself."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from app.cli.output import CannotRun, Commands, command, show
from app.settings import Settings

if TYPE_CHECKING:
    from app.cli.r2_checks import Check

MARKS = {"enforced": "ok   ", "unknown": "?    ", "not enforced": "NOT  "}


def add(commands: Commands) -> None:
    command(
        commands,
        "r2-doctor",
        r2_doctor,
        help="try out what the evidence bucket (R2 or any S3) enforces",
        about="Puts a few objects of a few bytes under r2-doctor/ inside the prefix of FLR_EVIDENCE_URL, tries to "
        "break each promise, and deletes them again. Exit code 0 when everything that the product relies on is "
        "enforced; a missing lock is reported, not failed (docs/evidence.md).",
    )


def r2_doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    if not (settings.evidence_url or "").startswith("s3:"):
        raise CannotRun(
            "FLR_EVIDENCE_URL names no bucket: set it to s3://bucket/prefix?endpoint=https://...&region=auto"
        )
    checks = asyncio.run(_examine(arguments, settings))
    if arguments.json:
        show(arguments, checks, "")
    return int(any(check.needed and check.verdict != "enforced" for check in checks))


async def _examine(arguments: argparse.Namespace, settings: Settings) -> "list[Check]":
    """Prints each line as it is known, unless the answer is one JSON value."""
    from app.adapters.evidence.s3 import open_store
    from app.cli.r2_checks import examine

    store = open_store(settings.evidence_url or "", settings.evidence_access_key, settings.evidence_secret_key)
    checks = []
    try:
        async for check in examine(store):
            checks.append(check)
            if not arguments.json:
                print(_line(check), flush=True)
    finally:
        await store.close()
    return checks


def _line(check: "Check") -> str:
    step = f"\n         -> {check.next_step}" if check.next_step else ""
    advice = "" if check.needed or check.verdict == "enforced" else " (not needed, but worth having)"
    return f"{MARKS[check.verdict]} {check.name}: {check.says}{advice}{step}"
