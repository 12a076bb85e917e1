"""Models over the chat-completions protocol: one client for every endpoint, and a scripted endpoint for demos."""

from app.adapters.models.absent import AbsentModel
from app.adapters.models.openai_compatible import OpenAICompatible

__all__ = ["SCRIPTED", "AbsentModel", "OpenAICompatible", "load_model"]

SCRIPTED = "scripted"


def load_model(*, base_url: str | None, api_key: str | None, model: str) -> OpenAICompatible | AbsentModel:
    """The client of this process; whoever loads it closes it. Connects on its first call.

    A model called `scripted` answers by rules: the client says so.
    """
    if base_url is None:
        return AbsentModel()
    return OpenAICompatible(base_url=base_url, api_key=api_key, model=model, scripted=model == SCRIPTED)
