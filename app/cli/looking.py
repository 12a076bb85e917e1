"""`flr role check`, `backtest` and `preset`: look what a boundary would do, without doing anything."""

import argparse
import json
from pathlib import Path
from typing import Any

import msgspec

from app.canon.presets import PRESETS
from app.canon.sentences import boundary_sentences
from app.cli.output import Failed, show

LANGUAGES = ("en", "id")


def look(api: Any, arguments: argparse.Namespace, role: Any) -> None:
    if arguments.action == "check":
        _check(api, arguments, role)
    else:
        _backtest(api, arguments, role)


def show_preset(arguments: argparse.Namespace) -> None:
    """A boundary to start from, as data; without a name all of them in sentences. Raises `Failed`."""
    if arguments.subject is None:
        lines = [
            line
            for name, boundary in PRESETS.items()
            for line in (f"{name}:", *(f"  {sentence}" for sentence in boundary_sentences(boundary, "en")))
        ]
        show(arguments, msgspec.to_builtins(dict(PRESETS)), "\n".join(lines))
        return
    found = next((boundary for name, boundary in PRESETS.items() if name == arguments.subject), None)
    if found is None:
        raise Failed(f"there is no preset {arguments.subject!r}: {', '.join(PRESETS)}")
    written = msgspec.json.format(msgspec.json.encode(found)).decode()
    show(arguments, msgspec.to_builtins(found), written)


def read_json(path: str) -> Any:
    """Raises `Failed`."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"{path} is not JSON: {error}") from error


def _check(api: Any, arguments: argparse.Namespace, role: Any) -> None:
    if not arguments.what:
        raise Failed("which tool? `flr role check Mira send_email --arguments '{...}'`")
    try:
        values = json.loads(arguments.arguments)
    except ValueError as error:
        raise Failed(f"--arguments is not JSON: {error}") from error
    body: dict[str, Any] = {"tool": arguments.what, "arguments": values}
    if arguments.ticket:
        body["ticket_id"] = arguments.ticket
    if arguments.boundary:
        body["boundary"] = read_json(arguments.boundary)
    found = api.post(f"/roles/{role['id']}/check", body)
    lines = [" ".join(found["result"]["sentences"][language] + found["notes"][language]) for language in LANGUAGES]
    show(arguments, found, "\n".join([_word(found["result"]), *lines]))


def _backtest(api: Any, arguments: argparse.Namespace, role: Any) -> None:
    if not arguments.what:
        raise Failed("which boundary? `flr role backtest Mira boundary.json`")
    body = {"boundary": read_json(arguments.what), "limit": arguments.limit}
    body |= {name: value for name in ("since", "until") if (value := getattr(arguments, name))}
    found = api.post(f"/roles/{role['id']}/backtest", body)
    show(arguments, found, "\n".join(_backtest_lines(found)))


def _backtest_lines(found: Any) -> list[str]:
    lines = [f"{found['calls']} calls from {found['since']} to {found['until']}; {found['changed']} would change."]
    gone = [f"{n} {what}" for n, what in ((found["pruned_runs"], "pruned"), (found["erased_runs"], "erased")) if n]
    lines += [f"Not counted, since what they asked for is gone: runs {' and '.join(gone)}."] if gone else []
    lines += [f"then {_counts(found['before'])}; with the new boundary {_counts(found['after'])}"]
    lines += [f"  {said}: now {_counts(counts)}" for said, counts in sorted(found["against"].items())]
    for change in found["changes"]:
        before = _word(change["before"]) + (f" ({change['before']['decided']})" if change["before"]["decided"] else "")
        lines.append(f"{change['at']}  {change['tool']}: {before} -> {_word(change['after'])}. {change['why']['en']}")
    return [*lines, *(f"Not exact: {line}" for line in found["approximated"]["en"])]


def _counts(counts: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _word(outcome: Any) -> str:
    return f"{outcome['verdict']} {outcome['tier']}" if outcome["tier"] else str(outcome["verdict"])
