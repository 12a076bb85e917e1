"""Models over the OpenAI wire: one client for every endpoint, and a scripted endpoint for demos."""

from typing import Protocol

from app.adapters.models.absent import AbsentModel
from app.adapters.models.openai_compatible import OpenAICompatible, Patience
from app.adapters.models.prices import Price, read_prices

__all__ = ["AbsentModel", "OpenAICompatible", "Patience", "Price", "load_model", "read_prices", "thinks"]

_SCRIPTED = "scripted"


class ModelSettings(Protocol):
    """The settings of a process that say which model works. A model called `scripted` answers by rules.

    `model_api` is `chat` or `responses`; `model_prices` are the founder's own (`read_prices`).
    """

    @property
    def model_base_url(self) -> str | None: ...
    @property
    def model_api_key(self) -> str | None: ...
    @property
    def model_name(self) -> str: ...
    @property
    def model_fallback(self) -> str | None: ...
    @property
    def model_api(self) -> str: ...
    @property
    def model_prices(self) -> str: ...
    @property
    def model_first_token_seconds(self) -> int: ...
    @property
    def model_total_seconds(self) -> int: ...


def thinks(settings: ModelSettings) -> bool:
    """Whether a model is set that is not a script."""
    return settings.model_base_url is not None and settings.model_name != _SCRIPTED


def load_model(settings: ModelSettings) -> OpenAICompatible | AbsentModel:
    """The client of this process; whoever loads it closes it. Connects on its first call."""
    if settings.model_base_url is None:
        return AbsentModel()
    return OpenAICompatible(
        base_url=settings.model_base_url,
        api_key=settings.model_api_key,
        model=settings.model_name,
        prices=read_prices(settings.model_prices) or None,
        scripted=settings.model_name == _SCRIPTED,
        fallback=settings.model_fallback,
        wire="responses" if settings.model_api == "responses" else "chat",
        patience=Patience(
            first_token_seconds=settings.model_first_token_seconds, total_seconds=settings.model_total_seconds
        ),
    )
