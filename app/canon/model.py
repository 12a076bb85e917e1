"""One model call, in the shape of OpenAI chat completions."""

from typing import Protocol

import msgspec

from app.canon.errors import Coded


class ModelRequest(msgspec.Struct, frozen=True):
    """`body` is a chat.completions request without `model` and `stream`: messages, tools, tool_choice, ...

    No time stamps or random text in it: on resume the same request must be made again.
    """

    body: dict[str, object]
    model: str | None = None


class ModelAnswer(msgspec.Struct, frozen=True):
    """`body` is the chat.completions answer. `cost_usd_micros` is None when no price is known."""

    body: dict[str, object]
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int | None = None


class ModelFailed(Coded):
    """The model gave no usable answer after retries.

    `billed`: it had begun to answer, so the call may have been paid for. `passing`: asking once more may help.
    """

    code = "model.failed"

    def __init__(self, reason: str, *, code: str = "", billed: bool = False, passing: bool = False) -> None:
        super().__init__(reason, code=code, said=reason)
        self.billed = billed
        self.passing = passing


class ModelClient(Protocol):
    """An endpoint that answers model requests. Raises `ModelFailed`. At most one billed attempt in one call."""

    async def complete(self, request: ModelRequest) -> ModelAnswer: ...

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        """The most that the call can cost, for the reservation; None when no price is known."""
        ...

    def worst_case_tokens(self, request: ModelRequest) -> int:
        """An upper bound of input plus output tokens."""
        ...

    @property
    def scripted(self) -> bool:
        """True when answers come from a script and no model thinks: the console says so."""
        ...
