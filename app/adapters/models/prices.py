"""What a model call costs, in whole USD micros: the role's or the founder's own price first, then the public lists."""

import ipaddress
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from urllib.parse import urlsplit

import msgspec

from app.canon.errors import Misconfigured

ANY_MODEL = "*"
SUBSCRIPTION = "subscription"
_EXAMPLE = "`model=2.5/10` (USD for a million tokens in and out) or `model=subscription`"
_MICROS = Decimal(1_000_000)


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price of the founder's own, in USD micros for one million tokens. Zero means free."""

    input_usd_micros: int
    output_usd_micros: int


class UnreadablePrice(Misconfigured):
    """A price that the founder set cannot be read; the message shows how one is written."""


def read_prices(text: str) -> dict[str, Price | None]:
    """`gpt-4o=2.5/10,local=0/0,claude=subscription`: USD for one million tokens of input and output, or a model that is
    paid for by the month and capped by tokens and runs; `*` is every model. Raises `UnreadablePrice`."""
    prices: dict[str, Price | None] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, value = (part.strip() for part in item.rpartition("="))
        if not (name and equals):
            raise UnreadablePrice(f"{item!r} is no price: write {_EXAMPLE}")
        prices[name] = None if value == SUBSCRIPTION else Price(*_per_million(item, value))
    return prices


def _per_million(item: str, value: str) -> tuple[int, int]:
    given, slash, told = value.partition("/")
    try:
        amounts = Decimal(given), Decimal(told if slash else given)
    except InvalidOperation as error:
        raise UnreadablePrice(f"{item!r} is no price: write {_EXAMPLE}") from error
    if not all(amount.is_finite() and amount >= 0 for amount in amounts):
        raise UnreadablePrice(f"{item!r} is no price: write {_EXAMPLE}")
    first, second = ((amount * _MICROS).to_integral_value(ROUND_CEILING) for amount in amounts)
    return int(first), int(second)


class PriceList:
    """Prices at one endpoint. `overrides` by model name, `*` for every model; None for one that no call pays for."""

    def __init__(self, base_url: str, overrides: Mapping[str, Price | None] | None = None) -> None:
        self._base_url = base_url
        self._overrides = dict(overrides or {})

    def cost_usd_micros(
        self, model: str, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0
    ) -> int | None:
        """The cost, rounded up; None when nobody names a price."""
        named = model if model in self._overrides else ANY_MODEL
        own = self._overrides.get(named)
        if own is None and named in self._overrides:
            return None
        if own is not None:
            micros = input_tokens * own.input_usd_micros + output_tokens * own.output_usd_micros
            return -(-micros // 1_000_000)
        usd = self._public_usd(model, input_tokens, output_tokens, cached_tokens)
        return None if usd is None else int((usd * _MICROS).to_integral_value(ROUND_CEILING))

    def _public_usd(self, model: str, input_tokens: int, output_tokens: int, cached_tokens: int) -> Decimal | None:
        from genai_prices import Usage, calc_price

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens)
        try:
            return Decimal(calc_price(usage, model, provider_api_url=self._base_url).total_price)
        except LookupError:
            if _is_private(self._base_url):
                return None
        try:
            return Decimal(calc_price(usage, model).total_price)
        except LookupError:
            return None


def _is_private(url: str) -> bool:
    """A model on the founder's own machines has no public price, whatever its name."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))
