"""Arguments against a tool's JSON Schema: the part of the language that guards the gate's own reading.

Checked: `type`, `properties`, `required`, `additionalProperties: false`, `items`, `enum`, `minimum`, `maximum`,
`minItems`, `maxItems`, `maxLength`. Other words are left to the tool itself.
"""

from collections.abc import Callable, Mapping

from app.canon.values import number, shown

_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: number(value) is not None,
}


def problems(schema: object, value: object, path: str = "") -> list[str]:
    """Plain sentences about what does not fit, at most ten. Arguments must not be deeper than the gate reads."""
    if not isinstance(schema, Mapping):
        return []
    wrong = _type_problem(schema, value, path)
    if wrong:
        return [wrong]
    found = _limits(schema, value, path)
    if isinstance(value, Mapping):
        found += _object_problems(schema, value, path)
    elif isinstance(value, list | tuple):
        items = schema.get("items")
        for item in value:
            if len(found) < 10:
                found += problems(items, item, f"{path}[]")
    return found[:10]


def _name(path: str) -> str:
    return f"`{path}`" if path else "the arguments"


def _type_problem(schema: Mapping[str, object], value: object, path: str) -> str | None:
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else declared if isinstance(declared, list | tuple) else []
    known = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    if not known or any(fits(value) for fits in known):
        return None
    return f"{_name(path)} must be of type {' or '.join(str(name) for name in names)}, not {shown(value)!r}"


def _object_problems(schema: Mapping[str, object], value: Mapping[str, object], path: str) -> list[str]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    names = required if isinstance(required, list | tuple) else ()
    found = [f"{_name(_below(path, str(name)))} is missing" for name in names if str(name) not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{_name(_below(path, str(key)))} is no argument of this tool" for key in value if key not in known]
    for key, item in value.items():
        if key in known and not (item is None and key not in names):
            found += problems(known[key], item, _below(path, str(key)))
    return found


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _limits(schema: Mapping[str, object], value: object, path: str) -> list[str]:
    found: list[str] = []
    allowed = schema.get("enum")
    if isinstance(allowed, list | tuple) and value not in allowed:
        found.append(f"{_name(path)} must be one of {', '.join(map(shown, allowed))}, not {shown(value)!r}")
    amount, least, most = number(value), number(schema.get("minimum")), number(schema.get("maximum"))
    if not isinstance(value, str) and amount is not None:
        if least is not None and amount < least:
            found.append(f"{_name(path)} must be at least {least}, not {amount}")
        if most is not None and amount > most:
            found.append(f"{_name(path)} must be at most {most}, not {amount}")
    return found + _sizes(schema, value, path)


def _sizes(schema: Mapping[str, object], value: object, path: str) -> list[str]:
    def limit(word: str) -> int | None:
        size = schema.get(word)
        return size if isinstance(size, int) and not isinstance(size, bool) else None

    longest, fewest, most = limit("maxLength"), limit("minItems"), limit("maxItems")
    if isinstance(value, str) and longest is not None and len(value) > longest:
        return [f"{_name(path)} has {len(value)} characters; {longest} are the most"]
    if isinstance(value, list | tuple):
        if fewest is not None and len(value) < fewest:
            return [f"{_name(path)} needs at least {fewest}"]
        if most is not None and len(value) > most:
            return [f"{_name(path)} has {len(value)} items; {most} are the most"]
    return []
