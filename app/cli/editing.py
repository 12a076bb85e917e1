"""Edit before approve from the command line: the changed arguments of a held call, as the API wants them."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.output import Failed


def changed_arguments(approval: Any, edits: Sequence[str]) -> dict[str, object]:
    """The whole arguments as they shall be. An edit is `FIELD=VALUE`, `@FILE` with all arguments as JSON, or empty:
    then the arguments are opened in $VISUAL or $EDITOR. Raises `Failed`."""
    arguments = approval["payload"].get("arguments")
    if approval["kind"] != "tool_call" or not isinstance(arguments, dict):
        raise Failed("only the arguments of a held tool call can be changed")
    changed: dict[str, object] = dict(arguments)
    for edit in edits:
        if not edit:
            changed = _in_editor(changed)
        elif edit.startswith("@"):
            changed = _object(_read(Path(edit[1:])), edit[1:])
        else:
            _set(changed, edit)
    if changed == arguments:
        raise Failed("nothing was changed")
    return changed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read: {error}") from error


def _set(arguments: dict[str, object], edit: str) -> None:
    """A text stays text, whatever it looks like; any other value is read as JSON."""
    field, equals, value = edit.partition("=")
    if not equals or field not in arguments:
        raise Failed(f"--edit {edit}: give FIELD=VALUE; fields: {', '.join(sorted(arguments))}")
    if isinstance(arguments[field], str):
        arguments[field] = value
        return
    try:
        arguments[field] = json.loads(value)
    except ValueError as error:
        raise Failed(f"--edit {field}: {value!r} is not JSON, and the field is no text") from error


def _in_editor(arguments: dict[str, object]) -> dict[str, object]:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="flr-") as folder:
        path = Path(folder) / "arguments.json"
        path.write_text(json.dumps(arguments, indent=2, ensure_ascii=False), encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except OSError as error:
            raise Failed(f"{editor} cannot be started: set EDITOR, or give --edit FIELD=VALUE") from error
        if ended.returncode != 0:
            raise Failed(f"{editor} ended with {ended.returncode}: nothing was changed")
        return _object(path.read_text(encoding="utf-8"), "what was edited")


def _object(text: str, where: str) -> dict[str, object]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise Failed(f"{where} is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise Failed(f"{where} is not a JSON object")
    return read
