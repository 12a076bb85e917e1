"""`flr keys`: the keys of this machine, and how one is replaced."""

import argparse

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
        "`flr keys retire PURPOSE KID` deletes the old private key. Public keys are kept for ever.",
    )
    parser.add_argument("action", choices=("list", "rotate", "retire"))
    parser.add_argument("purpose", choices=(*PURPOSES, "subjects"), nargs="?", help="what the key signs, or wraps")
    parser.add_argument("kid", nargs="?", help="the key to retire, as `flr keys list` names it")


def keys(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.purpose == "subjects":
        _rotate_subjects(arguments, settings)
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


def _rotate_subjects(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.governance_ledger import create_subjects_key

    if arguments.action != "rotate":
        raise Failed("a wrapping key is only rotated; docs/retention.md says when the old file may be deleted")
    kid = create_subjects_key(settings.keys)
    said = (
        f"subjects-{kid}.key wraps from now on. Copy it to every host of the API, run `flr ledger rewrap` for each "
        "company, and keep the old file as long as backups need it."
    )
    show(arguments, {"purpose": "subjects", "kid": kid}, said)


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
