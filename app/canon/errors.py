"""The root of every room's exceptions."""


class Coded(Exception):
    """An error that says which one it is: `code` for good (`role.name_taken`), whatever becomes of its English words;
    `data` are the facts that a sentence of it needs. What says one thing only has its code as a class."""

    code: str = ""

    def __init__(self, message: str = "", *, code: str = "", **data: object) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.data: dict[str, object] = data


class Fault(Coded):
    """A promise was broken. The message says what befell the caller and what to do next.

    Families below it carry typed data; `app/problems.py` alone maps them to HTTP.
    """


class Invalid(Fault):
    """What was given cannot be accepted as it is."""


class Misconfigured(Fault):
    """A setting of this installation cannot be used; the message names it and says what would do."""


class NotFound(Fault):
    """There is no such thing in this tenant."""


class Conflict(Fault):
    """The thing changed, or is in a state in which this cannot be done."""


class Unauthenticated(Fault):
    """No valid token: sign in, or print one with `flr token`."""


class Forbidden(Fault):
    """The caller's role may not do this."""


class Stale(Conflict):
    """The caller saw an older version; read again and repeat."""


class TooMany(Fault):
    """Too often in too short a time: wait, then try again."""


class Gone(Fault):
    """It was here and was erased for good."""


class Unavailable(Fault):
    """Something outside does not answer; nothing was lost, try again."""
