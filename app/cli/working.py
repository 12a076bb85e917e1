"""`flr role` and `flr ticket`: employ and give work from the command line."""

import argparse
import mimetypes
from pathlib import Path
from typing import Any

from app.cli.looking import look, read_json, show_preset
from app.cli.output import Commands, Failed, command, show
from app.settings import Settings

ROLE_ACTIONS = ("list", "show", "pause", "resume", "hire", "check", "backtest", "preset")


def add(commands: Commands) -> None:
    roles = command(
        commands, "role", role, help="list, show, pause, resume, hire; check a call, backtest a rule, see presets"
    )
    roles.add_argument("action", nargs="?", choices=ROLE_ACTIONS, default="list")
    roles.add_argument(
        "subject", nargs="?", help="a role's name or id; with hire: terms in JSON; with preset: its name"
    )
    roles.add_argument("what", nargs="?", help="with check: a tool; with backtest: a JSON file with the new boundary")
    roles.add_argument("--arguments", default="{}", help="with check: the call's arguments as JSON")
    roles.add_argument("--ticket", help="with check: the id of a ticket to check in")
    roles.add_argument("--boundary", help="with check: a JSON file with another boundary")
    roles.add_argument("--since", help="with backtest: from this instant, 2026-11-01T00:00:00+07:00")
    roles.add_argument("--until", help="with backtest: before this instant")
    roles.add_argument("--limit", type=int, default=50, help="with backtest: changed calls to list")
    tickets = command(commands, "ticket", ticket, help="list tickets, show, open, cancel or erase one")
    tickets.add_argument("action", nargs="?", choices=("list", "show", "open", "cancel", "erase"), default="list")
    tickets.add_argument("subject", nargs="?", help="a ticket's id; with open: its title")
    tickets.add_argument("--status", help="with list: open, held, working, done, ...")
    tickets.add_argument("--instructions", default="", help="with open: what is to be done")
    tickets.add_argument("--role", help="with open: a role's name or id; without it the router chooses")
    tickets.add_argument("--file", action="append", type=Path, default=[], help="with open: attach (repeatable)")
    tickets.add_argument(
        "--secret-file", action="append", type=Path, default=[], help="the same, and its text does not leave unseen"
    )
    tickets.add_argument(
        "--personal",
        action="store_true",
        help="with open: keep what it says of people encrypted, so that it can be erased",
    )
    tickets.add_argument("--yes", action="store_true", help="with erase: do not ask")
    tickets.add_argument("--approval-required", action="store_true", help="with open: hold it before its first step")


def role(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    if arguments.action == "preset":
        show_preset(arguments)
        return
    with Api(settings) as api:
        if arguments.action == "list":
            found = api.get("/roles")["items"]
            lines = [f"{item['id']}  {item['status']:9} v{item['version']}  {item['name']}" for item in found]
            show(arguments, found, "\n".join(lines) or "Nobody is employed yet.")
            return
        if arguments.action in ("check", "backtest"):
            look(api, arguments, find_role(api, arguments.subject))
            return
        answer = _hire(api, arguments.subject) if arguments.action == "hire" else _one_role(api, arguments)
    show(arguments, answer, f"{answer['name']}: {answer['status']}, version {answer['version']}")


def _hire(api: Any, path: str | None) -> Any:
    if path is None:
        raise Failed("which terms? `flr role hire terms.json`")
    return api.post("/roles", read_json(path))


def _one_role(api: Any, arguments: argparse.Namespace) -> Any:
    found = find_role(api, arguments.subject)
    if arguments.action == "show":
        return found
    return api.post(f"/roles/{found['id']}/{arguments.action}")


def find_role(api: Any, subject: str | None) -> Any:
    """The role of this name or id. Raises `Failed`."""
    if subject is None:
        raise Failed("which role? `flr role list` names them")
    for item in api.get("/roles")["items"]:
        if subject.lower() in (str(item["id"]), str(item["name"]).lower()):
            return item
    raise Failed(f"there is no role {subject!r}: `flr role list` names them")


def ticket(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    with Api(settings) as api:
        match arguments.action:
            case "list":
                found = api.get("/tickets", status=arguments.status, limit=100)["items"]
                lines = [f"{item['id']}  {item['status']:9} {item['title']}" for item in found]
                show(arguments, found, "\n".join(lines) or "No tickets.")
            case "open":
                opened = _open(api, arguments)
                show(arguments, opened, f"{opened['id']}  {opened['status']}  {opened['title']}")
            case "show":
                seen = api.get(f"/tickets/{_subject(arguments)}")
                show(arguments, seen, f"{seen['status']}: {seen['title']}\n{seen['result']}".rstrip())
            case "erase":
                _erase(api, arguments)
            case _:
                seen = api.get(f"/tickets/{_subject(arguments)}")
                ended = api.patch(f"/tickets/{seen['id']}", {"version": seen["version"], "cancel": True})
                show(arguments, ended, f"{ended['status']}: {ended['title']}")


def _erase(api: Any, arguments: argparse.Namespace) -> None:
    """The personal data of a closed ticket, for good: docs/retention.md."""
    ticket_id = _subject(arguments)
    if not arguments.yes and input(f"Erase ticket {ticket_id} for good? Write its id again: ").strip() != ticket_id:
        raise Failed("nothing was erased")
    erased = api.post(f"/tickets/{ticket_id}/erase")
    said = f"{erased['subject']} was erased at {erased['erased_at']}: {len(erased['ticket_ids'])} tickets"
    show(arguments, erased, said)


def _subject(arguments: argparse.Namespace) -> str:
    if not arguments.subject:
        raise Failed("which ticket? `flr ticket list` names them")
    return str(arguments.subject)


def _open(api: Any, arguments: argparse.Namespace) -> Any:
    if not arguments.subject:
        raise Failed('which title? `flr ticket open "Summarise the statement" --instructions ... --file ...`')
    new = {
        "title": arguments.subject,
        "instructions": arguments.instructions or arguments.subject,
        "role_id": find_role(api, arguments.role)["id"] if arguments.role else None,
        "approval_required": arguments.approval_required,
        "personal": arguments.personal,
        "start": False,
    }
    marked = [*((path, False) for path in arguments.file), *((path, True) for path in arguments.secret_file)]
    contents = [(path.name, _read(path), secret) for path, secret in marked]
    opened = api.post("/tickets", new)
    for name, content, secret in contents:
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        api.attach(opened["id"], name, content, media_type, secret=secret)
    api.post(f"/exec/start/{opened['id']}")
    return opened


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from error
