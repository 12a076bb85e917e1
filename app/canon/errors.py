"""The root of every room's exceptions."""


class Fault(Exception):
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
