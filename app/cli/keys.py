"""`flr keys`: the keys of this machine, and how one is replaced."""

import argparse
import asyncio

from app.cli.output import Commands, Failed, command, show
from app.settings import Settings

PURPOSES = ("token", "approval", "receipt", "seal")
AFTER = {
    "seal": "each new checkpoint carries the signatures of both keys from now on. Hand the new public key to whoever "
    "verifies, then end the overlap with `flr keys retire seal {old}`.",
    "receipt": "restart the API: it signs receipts with the new key from then on, and the old ones still verify.",
    "approval": "restart the API: it signs approvals with the new key from then on, and the old ones still verify.",
    "token": "restart the API: it signs tokens with the new key from then on, and those that were printed still work.",
}


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "keys",
        keys,
        help="list, replace and retire the keys of this machine",
        about="`flr keys list` names the keys in FLR_HOME/keys. `flr keys rotate PURPOSE` makes a new one, which signs "
        "from then on, while what the old one signed still verifies; checkpoints are signed by both until "
        "`flr keys retire PURPOSE KID` deletes the old private key. Public keys are kept for ever. `subjects` "
        "are the keys that wrap those of personal data: docs/retention.md.",
    )
    parser.add_argument("action", choices=("list", "rotate", "retire"))
    parser.add_argument("purpose", choices=(*PURPOSES, "subjects"), nargs="?", help="what the key signs, or wraps")
    parser.add_argument("kid", nargs="?", help="the key to retire, as `flr keys list` names it")


def keys(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.purpose == "subjects":
        _SUBJECTS[arguments.action](arguments, settings)
        return
    if arguments.action == "list":
        _list(arguments, settings)
    elif arguments.purpose is None:
        raise Failed(f"say which key: one of {', '.join(PURPOSES)}")
    elif arguments.action == "rotate":
        _rotate(arguments, settings)
    else:
        _retire(arguments, settings)


def _list(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.auth import load_keys, load_public_keys

    found = []
    for purpose in [arguments.purpose] if arguments.purpose else PURPOSES:
        private = [key.kid for key in load_keys(settings.keys, purpose)]
        public = sorted(load_public_keys(settings.keys, purpose).keys() - set(private))
        signing = _signing(purpose, private)
        found += [{"purpose": purpose, "kid": kid, "signs": kid in signing} for kid in (*private, *public)]
    if not found:
        raise Failed(f"there is no key in {settings.keys}: run `flr migrate` on the machine that holds FLR_HOME")
    lines = [f"{one['purpose']:<10}{one['kid']}  {'signs' if one['signs'] else 'verifies only'}" for one in found]
    show(arguments, found, "\n".join(lines))


def _signing(purpose: str, kids: list[str]) -> list[str]:
    """Checkpoints are signed by every private key, all else by the newest."""
    return kids if purpose == "seal" else kids[:1]


def _rotate(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.auth import create_key, load_keys

    before = load_keys(settings.keys, arguments.purpose)
    if not before:
        raise Failed(f"there is no {arguments.purpose} key to replace in {settings.keys}: run `flr migrate`")
    new = create_key(settings.keys, arguments.purpose)
    said = f"{new.kid} is the new {arguments.purpose} key; " + AFTER[arguments.purpose].format(old=before[0].kid)
    show(arguments, {"purpose": arguments.purpose, "kid": new.kid, "before": [key.kid for key in before]}, said)


def _list_subjects(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.governance_ledger import keeper_of

    keeper = keeper_of(settings.keys)
    if not keeper.names:
        raise Failed(f"there is no subjects key in {settings.keys}: run `flr migrate` on the machine with FLR_HOME")
    found = [{"purpose": "subjects", "kid": kid, "wraps": kid == keeper.newest} for kid in reversed(keeper.names)]
    lines = [f"{'subjects':<10}{one['kid']}  {'wraps' if one['wraps'] else 'opens only'}" for one in found]
    show(arguments, found, "\n".join(lines))


def _rotate_subjects(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.governance_ledger import create_subjects_key

    kid = create_subjects_key(settings.keys)
    said = (
        f"subjects-{kid}.key wraps from now on. Copy it to every host of the API, run `flr ledger rewrap` for each "
        "company, then end the old one with `flr keys retire subjects KID`."
    )
    show(arguments, {"purpose": "subjects", "kid": kid}, said)


def _retire_subjects(arguments: argparse.Namespace, settings: Settings) -> None:
    """What the key wrapped is unreadable without it, for ever: the database is asked first."""
    from app.governance_ledger import keeper_of

    kid, keeper = arguments.kid, keeper_of(settings.keys)
    if kid not in keeper.names:
        raise Failed(f"there is no subjects key {kid}: `flr keys list subjects` names them")
    if kid == keeper.newest:
        raise Failed(f"{kid} is the newest subjects key: make another with `flr keys rotate subjects` first")
    wrapped = asyncio.run(_count_wrapped(kid, settings))
    if wrapped:
        raise Failed(
            f"{kid} still wraps the keys of {wrapped} subjects, which nobody could read without it: each company runs "
            "`flr ledger rewrap`, once every host of the API has the newest key"
        )
    (settings.keys / f"subjects-{kid}.key").unlink()
    said = (
        f"{kid} is deleted here: it wrapped nothing any more. Delete it on the other hosts and in your copies of the "
        "keys: what was erased then cannot be read from old backups of the database either."
    )
    show(arguments, {"purpose": "subjects", "retired": kid}, said)


async def _count_wrapped(kid: str, settings: Settings) -> int:
    from app.cli.ledger import opened
    from app.governance_ledger import count_wrapped

    async with opened(settings) as (database, _):
        return await count_wrapped(database, kid)


_SUBJECTS = {"list": _list_subjects, "rotate": _rotate_subjects, "retire": _retire_subjects}


def _retire(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.auth import load_keys

    private = [key.kid for key in load_keys(settings.keys, arguments.purpose)]
    if arguments.kid not in private:
        raise Failed(f"there is no private {arguments.purpose} key {arguments.kid}: `flr keys list` names them")
    if arguments.kid == private[0]:
        raise Failed(
            f"{arguments.kid} is the newest {arguments.purpose} key: make another with `flr keys rotate` first"
        )
    (settings.keys / f"{arguments.purpose}-{arguments.kid}.pem").unlink()
    said = f"{arguments.kid} signs no more; what it signed still verifies with its public key, which is kept"
    show(arguments, {"purpose": arguments.purpose, "retired": arguments.kid}, said)
