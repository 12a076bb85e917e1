"""`python -m tests.chaos [--kills N] [--json]`: kill -9 at random, then a table of what became of the work."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.chaos.playing import Played, Said, play

WIDTH = 30


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill worker, API, sealer and database at random over mixed tickets.")
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed (default 200)")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flr-chaos-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        played = asyncio.run(play(home, kills=chosen.kills, tell=_bar(chosen.kills)))
    sys.stderr.write("\n")
    sys.stdout.write(msgspec.json.encode(_plain(played)).decode() + "\n" if chosen.json else table(played))
    return 0 if played.findings.ok else 1


def _bar(kills: int) -> Callable[[Said], None]:
    def tell(said: Said) -> None:
        done = WIDTH * said.kills // max(kills, 1)
        bar = "#" * done + "." * (WIDTH - done)
        sys.stderr.write(f"\r[{bar}] {said.kills}/{kills} kills, {said.tickets} tickets, {said.open} open   ")
        sys.stderr.flush()

    return tell


def _plain(played: Played) -> dict[str, object]:
    return {**msgspec.to_builtins(played), "ok": played.findings.ok}


def table(played: Played) -> str:
    """What was done to it, and what became of it."""
    found = played.findings
    rows: list[tuple[str, object]] = [(f"killed: {name}", count) for name, count in sorted(played.kills.items())]
    rows += [("kills", sum(played.kills.values())), ("ended when the database was away", played.ended_alone)]
    rows += [(f"founder: {name}", count) for name, count in sorted(played.decisions.items())]
    rows += [
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
        ("seconds", round(played.seconds)),
    ]
    lines = [f"{name:<34} {value:>24}" for name, value in rows]
    wrong = [*found.lost, *found.doubled, *found.blind_retries, *found.unrecorded]
    return "\n".join([*lines, *wrong]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
