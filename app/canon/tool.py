"""What a tool is to the gate, to the worker and to its adapter."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.errors import Coded, NotFound
from app.canon.vocabulary import Money, Risk

Effect: TypeAlias = Literal["read", "local", "external"]
Arguments: TypeAlias = dict[str, object]


class Wording(msgspec.Struct, frozen=True):
    """A tool in the words of people. `label` follows "may ...": `send e-mail`. `act` is one call as a sentence, with
    `{argument}` and `{money}` where values stand."""

    label: str
    act: str


class ToolSpec(msgspec.Struct, frozen=True, dict=True):
    """A tool as the gate and the model see it.

    `parameters` is a JSON Schema object. `effect` says where the call acts: `read` changes nothing, `local` only
    returns an effect value that the runtime applies, `external` acts outside. `idempotent` promises that repeating a
    call with the same key does nothing twice. `destinations` names arguments that are a recipient, host, payee or
    channel; `text` names arguments that carry prose outward (links and accounts inside are destinations too);
    `money` names the argument with an amount in minor units and `currency` the one with its ISO code. `attachments`
    names arguments that are names of files going outward with the call; `data` names arguments that are names of data
    read, checked against the role's data scopes; `reads_any_file` says that the call may read every file of the ticket.
    `secret` says that what it answers must not leave unseen. `pin` is a digest of what a tool server says of the tool.
    `timeout_seconds` is how long one attempt may take before its answer counts as lost. `words` says the tool in
    English and Indonesian.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    risk: Risk
    effect: Effect
    idempotent: bool = False
    destinations: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    money: str | None = None
    currency: str | None = None
    attachments: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    reads_any_file: bool = False
    secret: bool = False
    pin: str = ""
    timeout_seconds: int = 180
    words: Mapping[Literal["en", "id"], Wording] = {}

    @cached_property
    def schema_hash(self) -> str:
        """SHA-256 hex over name, parameters, risk and effect: a changed tool is another tool."""
        pinned = [self.pin] if self.pin else []
        parameters = msgspec.to_builtins(self.parameters)
        return digest([self.name, parameters, self.risk, self.effect, self.idempotent, *pinned])


class InputFile(msgspec.Struct, frozen=True):
    """A file in hand. `sha256` is also its evidence key. `attached` tells what was given with the ticket from what was
    written in it; text of a `secret` file may not leave unseen."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    trusted: bool = False
    secret: bool = False
    attached: bool = False


class Inputs(Protocol):
    """The files of the ticket in hand."""

    @property
    def files(self) -> tuple[InputFile, ...]: ...

    async def read(self, name: str) -> bytes:
        """All bytes of the file called `name`. Raises `NotFound`."""
        ...


class Vault(Protocol):
    """The founder's secrets that this call may use. What is handed out is blotted out of all that the call brings."""

    async def value(self, name: str) -> str:
        """The secret called `name`. Raises `NotFound`."""
        ...

    async def headers(self, host: str, port: int | None) -> Mapping[str, str]:
        """Headers that the founder wants sent to this host for this role; none as a rule."""
        ...


class NoSecrets:
    """A vault with nothing in it."""

    async def value(self, name: str) -> str:
        raise NotFound(f"there is no secret {name!r}")

    async def headers(self, host: str, port: int | None) -> Mapping[str, str]:
        del host, port
        return {}


class ToolCall(msgspec.Struct, frozen=True):
    """One call that the gate has allowed. `key` is stable over every attempt of the same step."""

    key: str
    tenant: UUID
    run_id: UUID
    step: int
    arguments: Arguments
    inputs: Inputs
    egress_hosts: tuple[str, ...] = ()
    vault: Vault = NoSecrets()


class EvidenceItem(msgspec.Struct, frozen=True):
    """Bytes that prove what a call did."""

    name: str
    media_type: str
    content: bytes


class WriteNote(msgspec.Struct, frozen=True, tag="note"):
    text: str


class WriteDocument(msgspec.Struct, frozen=True, tag="document"):
    name: str
    media_type: str
    content: str


class OpenTicket(msgspec.Struct, frozen=True, tag="ticket"):
    title: str
    instructions: str
    role: str | None = None


class RecordRevenue(msgspec.Struct, frozen=True, tag="revenue"):
    amount: Money
    source: str
    description: str


class MovePayment(msgspec.Struct, frozen=True, tag="payment"):
    """An order to pay, written into the payment book; nothing leaves a bank account by itself."""

    amount: Money
    payee: str
    account: str
    reference: str


LocalEffect: TypeAlias = WriteNote | WriteDocument | OpenTicket | RecordRevenue | MovePayment


class ToolResult(msgspec.Struct, frozen=True):
    """What a call brought. `content` is what the worker reads; `data` the same as a value for procedures.

    `effect` is set by local tools only and applied in the step's transaction. `files` become documents of the ticket;
    none of them has the name of an attached file.
    """

    content: str
    data: object = None
    effect: LocalEffect | None = None
    evidence: tuple[EvidenceItem, ...] = ()
    files: tuple[EvidenceItem, ...] = ()


class ToolFailed(Coded):
    """The call was made and failed for certain: nothing happened outside. The worker is told the message."""


class OutcomeUnknown(Exception):
    """The call may have happened: the answer was lost. Never retried blindly."""


class Tool(Protocol):
    """A tool adapter. Raises `ToolFailed` (certain) or `OutcomeUnknown` (lost); anything else counts as unknown
    for external tools and as failed for the others."""

    @property
    def spec(self) -> ToolSpec: ...

    async def perform(self, call: ToolCall) -> ToolResult: ...


class ToolAnswer(msgspec.Struct, frozen=True):
    """What the worker is told of a proposed call. `content` is plain text for a model, `data` for procedures."""

    status: Literal["done", "failed", "refused", "rejected", "expired", "withdrawn"]
    content: str
    data: object = None
