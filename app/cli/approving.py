"""`flr approve`: what waits for the founder, and the decision signed with this machine's device key."""

import argparse
from typing import Any

from app.canon.values import upright
from app.cli.output import Commands, Failed, command, show
from app.settings import Settings


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "approve",
        approve,
        help="list what waits for a decision; approve or reject one",
        about="Without an id: what waits. With an id (its first characters suffice): show the card, ask, then sign the "
        "decision with this machine's device key, which counts as the founder's own key (R2 too). With --edit the call "
        "is changed first: the gate looks at it anew, and what is signed is the changed call.",
    )
    parser.add_argument("id", nargs="?", help="the approval, or enough of its first characters")
    parser.add_argument("--reject", action="store_true", help="reject instead of approving")
    parser.add_argument("--reason", default="", help="what to tell the worker (with --reject)")
    parser.add_argument(
        "--edit",
        nargs="?",
        action="append",
        const="",
        metavar="FIELD=VALUE",
        help="change an argument first (repeatable); @FILE: all of them as JSON; alone: in your EDITOR",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def approve(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    with Api(settings) as api:
        pending = api.get("/approvals", status="pending", limit=200)["items"]
        if arguments.id is None:
            show(arguments, pending, "\n".join(map(_line, pending)) or "Nothing waits for a decision.")
            return
        chosen = _choose(pending, arguments.id)
        if arguments.edit is not None:
            chosen = _edit(api, chosen, arguments)
        if not arguments.yes and not arguments.json:
            confirm(chosen, "reject" if arguments.reject else "approve")
        decided = (
            _reject(api, chosen, arguments.reason) if arguments.reject else sign_and_approve(api, chosen, settings)
        )
    show(arguments, decided, f"{decided['status']}: {sentence_of(chosen)}")


def _edit(api: Any, approval: Any, arguments: argparse.Namespace) -> Any:
    """The question in whose place the changed call is asked; it waits even when it is not decided now."""
    from app.cli.editing import changed_arguments

    if arguments.reject:
        raise Failed("a call is changed or rejected, not both")
    changed = changed_arguments(approval, arguments.edit)
    after = api.post(f"/approvals/{approval['id']}/edit", {"arguments": changed, "version": approval["version"]})
    if not arguments.json:
        print(f"Changed: {after['id']} waits now, {after['tier']}.")
    return after


def sign_and_approve(api: Any, approval: Any, settings: Settings) -> Any:
    """The decision, signed with this machine's device key. Raises `Failed`."""
    from app.auth import KeyMissing
    from app.cli.device import sign_statement

    asked = api.post(f"/approvals/{approval['id']}/statement", {"decision": "approve"})
    try:
        proof = sign_statement(settings.keys, asked["statement"])
    except KeyMissing as error:
        raise Failed(str(error)) from error
    if proof["statement"]["payload_digest"] != approval["payload_digest"]:  # type: ignore[index]
        raise Failed("the card changed while it was shown: look at it again")
    return api.post(f"/approvals/{approval['id']}/approve", {"proof": proof})


def _reject(api: Any, approval: Any, reason: str) -> Any:
    return api.post(f"/approvals/{approval['id']}/reject", {"reason": reason})


def _choose(pending: list[Any], start: str) -> Any:
    found = [approval for approval in pending if str(approval["id"]).startswith(start.lower())]
    if len(found) != 1:
        raise Failed(f"{len(found)} pending approvals begin with {start!r}: `flr approve` lists them")
    return found[0]


def sentence_of(approval: Any) -> str:
    text = approval["payload"].get("text") or {}
    return str(text.get("en") or text.get("id") or approval["kind"])


def _line(approval: Any) -> str:
    return f"{approval['id']}  {approval['tier']}  {approval['expires_at'][:16]}  {sentence_of(approval)}"


def confirm(approval: Any, decision: str) -> None:
    """Show all that will be signed, and ask. Raises `Failed` for a no."""
    import msgspec

    shown = msgspec.json.format(msgspec.json.encode(approval["payload"]), indent=2).decode()
    print(upright(f"{shown}\n\n{sentence_of(approval)}", terminal=True))
    if input(f"{decision}? [y/N] ").strip().lower() not in ("y", "yes", "ya"):
        raise Failed("nothing was decided")
