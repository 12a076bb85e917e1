"""What the ledger refuses."""

from app.canon.errors import Conflict, Fault, Forbidden, Gone, Invalid, NotFound, Unavailable


class EventRefused(Invalid):
    """The event cannot be recorded as it is; the message names the field."""


class EventUnknown(NotFound):
    """This tenant has no event of that id."""

    code = "event.unknown"


class EvidenceUnknown(NotFound):
    """This tenant has no evidence of that key, or the event carries none."""

    code = "evidence.unknown"


class EvidenceTooLarge(Invalid):
    """The bytes are beyond what one piece of evidence may hold."""

    code = "evidence.large"


class EvidenceDiffers(Fault):
    """The store holds other bytes under this key than the ledger names."""

    code = "evidence.differs"


class EvidenceAway(Unavailable):
    """The evidence store does not answer; nothing is lost, try again."""

    code = "evidence.away"


class EvidenceErased(Gone):
    """The bytes are there, but the key of their subject was destroyed: nobody can read them again."""

    code = "evidence.erased"


class EvidenceSealed(Forbidden):
    """The bytes are personal, and this process does not hold the key."""

    code = "evidence.sealed"


class SubjectErased(Conflict):
    """The subject's key was destroyed: nothing new is recorded about it."""

    code = "subject.erased"


class SubjectUnknown(NotFound):
    """The ledger keeps nothing under this subject."""
