"""`flr quorum`: how many must agree, and asking for another number, signed with this machine's device key."""

import argparse
from decimal import Decimal, InvalidOperation
from typing import Any

from app.canon.written import minor_digits
from app.cli.approving import confirm, sentence_of, sign_and_approve
from app.cli.output import Commands, Failed, command, show
from app.settings import Settings

NONE = "none"


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "quorum",
        quorum,
        help="say how many must agree; ask for another number and sign it",
        about="Without lines: what holds. A line is a risk and how many people must agree: `R2=2`, `R1=2,founders`, "
        "`R2=3,above=IDR:5000000`. Name all that is to hold: what is left out one person decides again; `none` ends "
        "the quorum. It becomes a question that this machine's device key signs, as `flr approve` would. What holds "
        "counts for it: where more must agree, it waits for them.",
    )
    parser.add_argument("lines", nargs="*", metavar="LINE", help="RISK=COUNT[,founders][,above=CURRENCY:AMOUNT]; none")
    parser.add_argument("--unsigned", action="store_true", help="only ask; somebody signs it elsewhere")
    parser.add_argument("--yes", action="store_true", help="do not ask before signing")


def quorum(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    lines = (
        None if not arguments.lines else [] if arguments.lines == [NONE] else [line_of(one) for one in arguments.lines]
    )
    with Api(settings) as api:
        if lines is None:
            holds = api.get("/quorums")
            waits = holds["pending_approval_id"]
            said = [*holds["text"]["en"], *([f"{waits} asks for another one: `flr approve {waits}`."] if waits else [])]
            show(arguments, holds, "\n".join(said))
            return
        asked = api.put("/quorums", {"lines": lines})
        if not arguments.unsigned:
            if not arguments.yes and not arguments.json:
                confirm(asked, "approve")
            asked = _signed(api, asked, settings)
    show(arguments, asked, f"{asked['status']}: {sentence_of(asked)}")


def _signed(api: Any, asked: Any, settings: Settings) -> Any:
    """Who asks has no vote where more than one must agree: then it waits for the others."""
    return asked if asked["apart"] else sign_and_approve(api, asked, settings)


def line_of(text: str) -> dict[str, Any]:
    """`R2=2,founders,above=IDR:5000000` as the API takes it. Raises `Failed`."""
    first, *rest = text.split(",")
    tier, _, count = first.partition("=")
    if tier.upper() not in ("R1", "R2") or not count.isdigit():
        raise Failed(f"{text!r} is no line: write R2=2, or R2=2,founders,above=IDR:5000000")
    line: dict[str, Any] = {"tier": tier.upper(), "count": int(count)}
    for part in rest:
        name, _, value = part.partition("=")
        if part == "founders":
            line["founders"] = True
        elif name == "above":
            line["above"] = _amount(value)
        else:
            raise Failed(f"{part!r} says nothing here: `founders` or `above=IDR:5000000`")
    return line


def _amount(text: str) -> dict[str, Any]:
    """`USD:12.50`, in major units."""
    currency, _, digits = text.partition(":")
    try:
        minor = Decimal(digits).scaleb(minor_digits(currency.upper()))
    except InvalidOperation:
        raise Failed(f"{text!r} is no amount: write IDR:5000000") from None
    if not minor.is_finite() or minor != int(minor) or minor < 0:
        raise Failed(f"{text!r} is no amount of {currency.upper()}")
    return {"minor": int(minor), "currency": currency.upper()}
