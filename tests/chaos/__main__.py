"""`python -m tests.chaos [--kills N | --outage MINUTES] [--json]`: kill -9 at random, or of the evidence store for
minutes; then a table of what became of the work."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tests.chaos.audit import Findings
from tests.chaos.outage import Outage, play_outage
from tests.chaos.playing import Played, Said, play

WIDTH = 30


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill worker, API, sealer and database at random over mixed tickets.")
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed (default 200)")
    parser.add_argument("--outage", type=float, metavar="MINUTES", help="kill the evidence store only, for so long")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flr-chaos-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        played: Played | Outage
        if chosen.outage is None:
            played = asyncio.run(play(home, kills=chosen.kills, tell=_bar(chosen.kills, "kills")))
        else:
            seconds = round(chosen.outage * 60)
            played = asyncio.run(play_outage(home, seconds=seconds, tell=_bar(seconds, "seconds without the store")))
    sys.stderr.write("\n")
    said = msgspec.json.encode(_plain(played)).decode() + "\n"
    sys.stdout.write(said if chosen.json else table(played) if isinstance(played, Played) else outage_table(played))
    return 0 if played.ok else 1


def _bar(whole: int, what: str) -> Callable[[Said], None]:
    def tell(said: Said) -> None:
        done = WIDTH * min(said.done, whole) // max(whole, 1)
        bar = "#" * done + "." * (WIDTH - done)
        sys.stderr.write(f"\r[{bar}] {said.done}/{whole} {what}, {said.tickets} tickets, {said.open} open   ")
        sys.stderr.flush()

    return tell


def _plain(played: Played | Outage) -> dict[str, object]:
    return {**msgspec.to_builtins(played), "ok": played.ok}


def table(played: Played) -> str:
    """What was done to it, and what became of it."""
    found = played.findings
    rows: list[tuple[str, object]] = [(f"killed: {name}", count) for name, count in sorted(played.kills.items())]
    rows += [("kills", sum(played.kills.values())), ("ended when the database was away", played.ended_alone)]
    rows += [(f"founder: {name}", count) for name, count in sorted(played.decisions.items())]
    return _lines([*rows, *_of_findings(found), ("seconds", round(played.seconds))], found)


def outage_table(played: Outage) -> str:
    """What went on without the store, and what was found in it afterwards."""
    rows: list[tuple[str, object]] = [
        ("seconds without the store", played.gone_on.seconds),
        ("tickets opened meanwhile", played.gone_on.opened),
        ("tickets done meanwhile", played.gone_on.done),
        ("waited for a file in the store", played.gone_on.waited),
        ("spool at most", f"{played.spool_objects} objects, {played.spool_bytes} bytes"),
        ("spool empty after, seconds", round(played.drained_seconds, 1)),
        *((f"objects: {verdict}", count) for verdict, count in sorted(played.audited.items())),
    ]
    return _lines([*rows, *_of_findings(played.findings), *((wrong, "") for wrong in played.wrong)], played.findings)


def _of_findings(found: Findings) -> list[tuple[str, object]]:
    return [
        ("tickets opened", found.tickets),
        ("child tickets", found.children),
        ("steps", found.steps),
        ("requests at the other end", found.posts),
        ("runs taken over", found.taken_over),
        ("runs that went on in a next part", found.continued),
        ("calls repeated with their key", found.repeated_with_key),
        ("calls asked about", found.asked_about),
        ("LOST", len(found.lost)),
        ("DOUBLED", len(found.doubled)),
        ("BLIND RETRIES", len(found.blind_retries)),
        ("UNRECORDED", len(found.unrecorded)),
        ("chain", f"{'ok' if found.chain_ok else 'BROKEN'}, {found.chain_events} events"),
    ]


def _lines(rows: Sequence[tuple[str, object]], found: Findings) -> str:
    lines = [f"{name:<34} {value:>24}" for name, value in rows]
    wrong = [*found.lost, *found.doubled, *found.blind_retries, *found.unrecorded]
    return "\n".join([*lines, *wrong]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
