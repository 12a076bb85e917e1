"""Every type that the runtime writes is registered, and who reads the register learns what its events say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.governance_ledger.errors import EventRefused
from app.governance_ledger.event_shapes import Shape
from app.governance_ledger.event_types import check_type
from app.governance_ledger.registry import SHAPES, Versions, check_data, event_types, register_of, versions_of

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "db").rglob("*.py")])


def written(path: Path) -> Iterator[tuple[str, str]]:
    """What is given as `type` to an `Event`: a whole name, or with `*` the family of a composed one."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Event":
            for keyword in call.keywords:
                if keyword.arg == "type":
                    yield from _names(keyword.value, f"{path.relative_to(ROOT)}:{call.lineno}")


def _names(value: ast.expr, where: str) -> Iterator[tuple[str, str]]:
    match value:
        case ast.Constant(value=str(name)):
            yield name, where
        case ast.JoinedStr(values=[ast.Constant(value=str(family)), *_]):
            yield f"{family}*", where
        case ast.IfExp(body=body, orelse=orelse):
            yield from _names(body, where)
            yield from _names(orelse, where)
        case _:
            pass


def test_every_type_that_the_source_names_is_registered() -> None:
    found = [one for path in SOURCES for one in written(path)]
    assert len(found) >= 30
    families = {name.rpartition(".")[0] for name in SHAPES}
    missing = [
        (name, where)
        for name, where in found
        if (name.removesuffix(".*") not in families if name.endswith(".*") else name not in SHAPES)
        and not name.endswith("_*")
    ]
    assert missing == []


def test_registered_names_are_types_and_their_shapes_close() -> None:
    for name, shapes in SHAPES.items():
        assert check_type(name) == name
        assert all(shape.__struct_config__.forbid_unknown_fields for shape in versions_of(shapes))


def test_data_of_another_shape_or_an_unknown_type_is_found() -> None:
    check_data("company.paused", {})
    check_data("x.anything", {"at": "all"})
    check_data("founder.codes_renewed", {"codes": 8})
    wrong: list[tuple[str, dict[str, object]]] = [
        ("company.paused", {"more": 1}),
        ("founder.codes_renewed", {}),
        ("founder.codes_renewed", {"codes": "8"}),
        ("company.sold", {}),
    ]
    for name, data in wrong:
        with pytest.raises(EventRefused):
            check_data(name, data)


class PriceSet(Shape, frozen=True, kw_only=True):
    amount: int


class PriceSetInCurrency(Shape, frozen=True, kw_only=True):
    amount_minor: str
    currency: str


def test_a_second_version_stands_beside_the_first_and_events_of_both_are_told_apart() -> None:
    shapes: dict[str, Versions] = {"price.set": (PriceSet, PriceSetInCurrency), "price.dropped": PriceSet}
    listed = {(one.type, one.version): one.data for one in register_of(shapes)}
    assert list(listed) == [("price.dropped", 1), ("price.set", 1), ("price.set", 2)]
    assert listed["price.set", 1]["$defs"]["PriceSet"]["required"] == ["amount"]
    assert listed["price.set", 2]["$defs"]["PriceSetInCurrency"]["required"] == ["amount_minor", "currency"]
    assert check_data("price.set", {"amount": 4}, shapes) == 1
    assert check_data("price.set", {"amount_minor": "400", "currency": "IDR"}, shapes) == 2
    with pytest.raises(EventRefused, match="amount"):
        check_data("price.set", {"amount": "4"}, shapes)
    with pytest.raises(EventRefused, match="not registered"):
        check_data("price.raised", {"amount": 4}, shapes)


async def test_the_register_is_read_over_the_api(client: httpx.AsyncClient) -> None:
    items = (await client.get("/api/v1/events/types")).json()["items"]
    assert len(items) == len(event_types()) == sum(len(versions_of(shapes)) for shapes in SHAPES.values()) + 1
    by_name = {item["type"]: item for item in items}
    assert by_name["tool.done"]["writers"] == []
    assert by_name["revenue.recorded"]["writers"] == ["founder", "deputy", "service"]
    assert by_name["x.*"]["data"] == {"type": "object"}
    schema = by_name["ticket.opened"]["data"]
    assert "text_digest" in schema["$defs"]["TicketOpened"]["required"]
    assert (await client.get("/api/v1/events/types", headers={"rol": "worker"})).status_code == 403
