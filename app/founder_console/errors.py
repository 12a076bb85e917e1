"""What befalls a founder at the console."""

from app.canon.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated


class FounderUnknown(NotFound):
    """This company has no such founder."""

    code = "founder.unknown"


class LinkUnusable(NotFound):
    """The enrolment link was used, has expired or never was; `flr enrol` prints a new one."""

    code = "link.unusable"


class KeyRefused(Unauthenticated):
    """The passkey or recovery code does not open this console; the message says why."""

    code = "key.refused"


class LastKey(Conflict):
    """The last passkey cannot be removed: add another one first."""

    code = "key.last"


class ForeignOrigin(Forbidden):
    """The request comes from another site."""

    code = "request.foreign"


class SignInAgain(Forbidden):
    """Who signed in long ago signs in once more first; `path` is where that leads back to."""

    code = "session.again"

    def __init__(self, path: str) -> None:
        super().__init__("sign in again first: this would outlast the session, or run on this machine")
        self.path = path


class PushRefused(Invalid):
    """The push address is not one of a known push service; nothing is ever sent there."""


class ActionTokenRefused(Conflict):
    """The button on the notification is used up, expired or not one of ours: open the card."""


class SourceUnknown(NotFound):
    """Nobody set up this address for payments, or it was removed."""

    code = "payments.unknown"
