"""Models over the OpenAI wire: one client for every endpoint, and a scripted endpoint for demos."""

from app.adapters.models.absent import AbsentModel
from app.adapters.models.openai_compatible import PATIENCE, OpenAICompatible, Patience, WireName
from app.adapters.models.prices import Price, read_prices

__all__ = ["SCRIPTED", "AbsentModel", "OpenAICompatible", "Patience", "Price", "WireName", "load_model", "read_prices"]

SCRIPTED = "scripted"


def load_model(
    *,
    base_url: str | None,
    api_key: str | None,
    model: str,
    fallback: str | None = None,
    wire: WireName = "chat",
    prices: str = "",
    patience: Patience = PATIENCE,
) -> OpenAICompatible | AbsentModel:
    """The client of this process; whoever loads it closes it. Connects on its first call.

    A model called `scripted` answers by rules: the client says so. `prices` are the founder's own (`read_prices`).
    """
    if base_url is None:
        return AbsentModel()
    return OpenAICompatible(
        base_url=base_url,
        api_key=api_key,
        model=model,
        prices=read_prices(prices) or None,
        scripted=model == SCRIPTED,
        fallback=fallback,
        wire=wire,
        patience=patience,
    )
