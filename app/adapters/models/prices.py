"""What a model call costs, in whole USD micros: the role's or the founder's own price first, then the public lists."""

import ipaddress
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from urllib.parse import urlsplit

import msgspec

ANY_MODEL = "*"
_MICROS = Decimal(1_000_000)


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price of the founder's own, in USD micros for one million tokens. Zero means free."""

    input_usd_micros: int
    output_usd_micros: int


class PriceList:
    """Prices at one endpoint. `overrides` by model name, `*` for every model."""

    def __init__(self, base_url: str, overrides: Mapping[str, Price] | None = None) -> None:
        self._base_url = base_url
        self._overrides = dict(overrides or {})

    def cost_usd_micros(
        self, model: str, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0
    ) -> int | None:
        """The cost, rounded up; None when nobody names a price."""
        own = self._overrides.get(model) or self._overrides.get(ANY_MODEL)
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
