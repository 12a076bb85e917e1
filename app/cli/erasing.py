"""`flr ledger erase`: destroy the key of a subject's personal data; `flr ledger rewrap`: move all under a new one."""

import argparse
from urllib.parse import quote

from app.cli.client import Api
from app.cli.output import Commands, command, show
from app.settings import Settings


def add(actions: Commands) -> None:
    parser = command(
        actions,
        "erase",
        erase,
        help="make a subject's personal data unreadable for good",
        about="Destroys the key under which the ledger keeps the subject's data and evidence, and records it. "
        "The chain stays as it is and verifies. Copies of the database from before, and what was already handed out, "
        "are not reached: docs/retention.md says what to do about them. The API must run.",
    )
    parser.add_argument("subject", help="as in the events' `personal`, for example customer:8841")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    command(
        actions,
        "rewrap",
        rewrap,
        help="move all subjects' keys under the newest wrapping key",
        about="After `flr keys rotate subjects`, once the new key lies on every host of the API: wraps the key of each "
        "living subject anew and records it. Afterwards nothing needs the old wrapping key but old backups.",
    )


def erase(arguments: argparse.Namespace, settings: Settings) -> int:
    subject = str(arguments.subject)
    if not arguments.yes and input(f"Erase {subject} for good? Write its name again: ").strip() != subject:
        show(arguments, {"erased": False}, "Nothing was erased.")
        return 1
    with Api(settings) as api:
        erased = api.post(f"/ledger/subjects/{quote(subject, safe='')}/erase")
    show(arguments, erased, f"{erased['subject']} was erased at {erased['erased_at']}")
    return 0


def rewrap(arguments: argparse.Namespace, settings: Settings) -> None:
    with Api(settings) as api:
        done = api.post("/ledger/subjects/rewrap")
    show(arguments, done, f"{done['subjects']} subjects' keys were moved under subjects-{done['kek_id']}.key")
