"""Arguments as a model writes them, made fit for the gate."""

import json

from app.canon.canonical_json import NotCanonical, exact
from app.canon.tool import Arguments


class Malformed(ValueError):
    """A model's tool call cannot be read; the message is told to the model."""


def decode(text: str) -> Arguments:
    """The arguments in a model's tool call. Raises `Malformed`."""
    try:
        decoded = json.loads(text or "{}", parse_constant=_refuse)
    except ValueError as error:
        raise Malformed(f"the arguments are not valid JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise Malformed("the arguments must be one JSON object")
    return canonical(decoded)


def canonical(decoded: dict[str, object]) -> Arguments:
    """The same arguments without floats. Raises `Malformed`."""
    try:
        return {key: exact(value) for key, value in decoded.items()}
    except NotCanonical as error:
        raise Malformed(str(error)) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")
