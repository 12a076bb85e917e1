"""Why a file does not verify."""


class Broken(Exception):
    """The first place at which something is not what it was. `seq` and `event_id` are None where none applies."""

    def __init__(self, reason: str, *, seq: int | None = None, event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seq = seq
        self.event_id = event_id
        self.line: int | None = None


class NotAnExport(Exception):
    """The file is no export of a ledger, or not all of one; the message is one sentence for a person."""


class KeyUnknown(Exception):
    """The key that was given cannot be read; the message is one sentence for a person."""
