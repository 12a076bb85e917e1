"""The files in hand: what is attached to the ticket, and documents that were written in it."""

from uuid import UUID

from app.canon.errors import NotFound
from app.canon.evidence import EvidenceStore
from app.canon.tool import InputFile
from app.execution_graph import books
from app.execution_graph.runtime import Runtime
from app.governance_ledger import Keeper, read_evidence
from app.postgres import Transaction
from app.work_queue import inputs_of

MOST_TEXT_BYTES = 1 << 20


class FileUnknown(NotFound):
    """The ticket has no file of that name."""


async def files_of(tx: Transaction, ticket_id: UUID) -> dict[InputFile, str]:
    """Each file with its evidence key: attached ones first, then documents. An attached name is never shadowed."""
    found: dict[str, tuple[InputFile, str]] = {}
    for given in await inputs_of(tx, ticket_id):
        file = InputFile(
            given.name, given.media_type, given.size_bytes, given.sha256, given.trusted, given.secret, attached=True
        )
        found[given.name] = (file, given.evidence_key)
    for document in await books.documents_of(tx, ticket_id):
        file = InputFile(
            document.name, document.media_type, document.size_bytes, document.sha256, secret=document.secret
        )
        found.setdefault(document.name, (file, document.evidence_key))
    return dict(found.values())


class TicketFiles:
    """`canon.tool.Inputs`. Each read opens a transaction of its own."""

    def __init__(self, runtime: Runtime, tenant: UUID, keys: dict[InputFile, str]) -> None:
        self._runtime = runtime
        self._tenant = tenant
        self._keys = keys

    @property
    def files(self) -> tuple[InputFile, ...]:
        return tuple(self._keys)

    async def read(self, name: str) -> bytes:
        """All bytes of the file called `name`. Raises `FileUnknown`."""
        for file, key in self._keys.items():
            if file.name == name:
                async with self._runtime.database.transaction(self._tenant) as tx:
                    return await read_evidence(tx, self._runtime.store, key, keeper=self._runtime.keeper())
        names = ", ".join(file.name for file in self._keys) or "none"
        raise FileUnknown(f"there is no file {name!r}; the ticket has: {names}")


async def text_of(tx: Transaction, store: EvidenceStore, key: str, keeper: Keeper | None) -> str:
    """The first megabyte of a file as text; bytes that are no UTF-8 are replaced. Personal files need the `keeper`."""
    content = await read_evidence(tx, store, key, 0, MOST_TEXT_BYTES - 1, keeper=keeper)
    return content.decode("utf-8", "replace")
