"""No model at all: roles that need none work on, others are told what to set."""

from app.canon.model import ModelAnswer, ModelFailed, ModelRequest

_SENTENCE = (
    "No model is set: set FLR_MODEL_BASE_URL (and FLR_MODEL_API_KEY) to an OpenAI-compatible endpoint, or let the role "
    "follow a written procedure."
)


class AbsentModel:
    """A `ModelClient` where no endpoint is configured."""

    @property
    def scripted(self) -> bool:
        return False

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        raise ModelFailed(_SENTENCE, code="model.none")

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return 0

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return 0

    async def close(self) -> None:
        """Holds nothing."""
