"""Our own modules in one file, so that a page loads one script and the whole compresses as one. Pure.

Understood are the forms that our modules use: `import './x.js'`, `import { a, b } from './x.js'`, `import('./x.js')`,
and `export` before a const, function or class. Anything else is refused when the process starts.
"""

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter

_IMPORT = re.compile(r"^import (?:\{([^}]*)\} from )?'\./([\w-]+\.js)';\n?", re.MULTILINE)
_LATER = re.compile(r"import\('\./([\w-]+\.js)'\)")
_EXPORT = re.compile(r"^export (?=(?:const|class|async function|function) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^\s+", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b(?!\()", re.MULTILINE)


class ScriptRefused(ValueError):
    """A module is written in a form that is not understood."""


def slim(source: str) -> str:
    """`source` without its comments, indentation and empty lines; no text of ours runs over lines."""
    return _INDENT.sub("", _COMMENT.sub("", source))


def later_of(source: str) -> tuple[str, ...]:
    """Modules that `source` loads only when it needs them."""
    return tuple(dict.fromkeys(_LATER.findall(source)))


def bundle(entry: str, sources: Mapping[str, str]) -> str:
    """`entry` and all that it imports: each module runs once, in the order of its imports, in a scope of its own.

    What `entry` exports is exported. Raises `ScriptRefused`, and `graphlib.CycleError` for modules in a circle.
    """
    order = tuple(_ordered(entry, sources))
    if order == (entry,):
        return _checked(entry, sources[entry])
    parts = [_scope(name, sources[name]) for name in order[:-1]]
    own = _IMPORT.sub(_taken, sources[entry])
    return "\n".join([*parts, _checked(entry, own)])


def _ordered(entry: str, sources: Mapping[str, str]) -> tuple[str, ...]:
    graph: dict[str, list[str]] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = [found[2] for found in _IMPORT.finditer(sources[name])]
            waiting += graph[name]
    return tuple(TopologicalSorter(graph).static_order())


def _scope(name: str, source: str) -> str:
    given = ", ".join(_EXPORT.findall(source))
    inner = _EXPORT.sub("", _IMPORT.sub(_taken, source))
    return f"const {_variable(name)} = (() => {{\n{_checked(name, inner)}return {{ {given} }};\n}})();"


def _taken(found: re.Match[str]) -> str:
    return f"const {{ {found[1].strip()} }} = {_variable(found[2])};\n" if found[1] else ""


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js").replace("-", "_")


def _checked(name: str, source: str) -> str:
    if _LEFT_OVER.search(_EXPORT.sub("", source)):
        raise ScriptRefused(f"{name}: an import or export of another form")
    return source
