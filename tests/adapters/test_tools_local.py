"""Documents, notes, tickets, revenue and payments: they return an effect and touch nothing themselves."""

import pytest

from app.adapters.tools import load_tools
from app.canon.contract import Boundary, ToolRule
from app.canon.schema import problems
from app.canon.tool import (
    Arguments,
    MovePayment,
    OpenTicket,
    RecordRevenue,
    ToolFailed,
    WriteDocument,
    WriteNote,
)
from app.canon.validation import validate_boundary
from app.canon.vocabulary import Money, Risk
from tests.adapters.tool_calls import call

TOOLS = load_tools(smtp_url="smtp://127.0.0.1:25", mail_from="a@b.co", allow_private=("127.0.0.1",))
PAYMENT: Arguments = {
    "amount_minor": 12_105_000,
    "currency": "IDR",
    "payee": "PT Sumber Kopi Gayo",
    "account": "5220304412",
    "reference": "INV-2026-118",
}
EFFECTS: list[tuple[str, Arguments, object]] = [
    (
        "write_document",
        {"name": "laporan.md", "media_type": "text/markdown", "content": "# A"},
        WriteDocument("laporan.md", "text/markdown", "# A"),
    ),
    ("write_note", {"text": "two rows lack an amount"}, WriteNote("two rows lack an amount")),
    ("open_ticket", {"title": "a\nb", "instructions": "do c"}, OpenTicket("a b", "do c")),
    ("open_ticket", {"title": "a", "instructions": "do c", "role": "Raka"}, OpenTicket("a", "do c", "Raka")),
    (
        "record_revenue",
        {"amount_minor": 1250, "currency": "USD", "source": "shop", "description": "week 3"},
        RecordRevenue(Money(1250, "USD"), "shop", "week 3"),
    ),
    (
        "order_payment",
        PAYMENT,
        MovePayment(Money(12_105_000, "IDR"), "PT Sumber Kopi Gayo", "5220304412", "INV-2026-118"),
    ),
]


@pytest.mark.parametrize(("name", "arguments", "effect"), EFFECTS)
async def test_a_local_tool_answers_with_its_effect(name: str, arguments: Arguments, effect: object) -> None:
    assert problems(TOOLS[name].spec.parameters, arguments) == []
    result = await TOOLS[name].perform(call(None, arguments))
    assert result.effect == effect
    assert result.content


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write_document", {"name": "../x.md", "media_type": "text/markdown", "content": "a"}),
        ("write_document", {"name": "a/b.md", "media_type": "text/markdown", "content": "a"}),
        ("write_document", {"name": "x.md", "media_type": "markdown", "content": "a"}),
        ("write_document", {"name": "x.md", "media_type": "text/plain\r\nX: y", "content": "a"}),
        ("write_document", {"name": "x.md", "media_type": "text/plain", "content": ""}),
        ("write_note", {"text": " "}),
        ("write_note", {"text": "a" * 20_001}),
        ("open_ticket", {"title": "a", "instructions": "b", "role": 3}),
        ("record_revenue", {"amount_minor": 0, "currency": "IDR", "source": "a", "description": "b"}),
        ("record_revenue", {"amount_minor": 1.5, "currency": "IDR", "source": "a", "description": "b"}),
        ("order_payment", {**PAYMENT, "currency": "rupiah"}),
        ("order_payment", {**PAYMENT, "amount_minor": -5}),
        ("order_payment", {**PAYMENT, "amount_minor": True}),
        ("order_payment", {**PAYMENT, "account": ""}),
    ],
)
async def test_what_makes_no_sense_has_no_effect(name: str, arguments: Arguments) -> None:
    with pytest.raises(ToolFailed):
        await TOOLS[name].perform(call(None, arguments))


async def test_amounts_are_read_back_in_the_currencys_own_places() -> None:
    arguments = {"amount_minor": 1250, "currency": "USD", "source": "shop", "description": "x"}
    assert "12.50 USD" in (await TOOLS["record_revenue"].perform(call(None, arguments))).content
    assert "12105000 IDR" in (await TOOLS["order_payment"].perform(call(None, PAYMENT))).content


def test_the_tools_have_the_names_that_roles_are_written_with() -> None:
    assert set(TOOLS) == {
        "list_inputs",
        "read_input",
        "describe_table",
        "query_table",
        "run_python",
        "write_document",
        "write_note",
        "open_ticket",
        "record_revenue",
        "order_payment",
        "send_email",
        "http_get",
        "http_request",
    }
    assert all(tool.spec.name == name for name, tool in TOOLS.items())


def test_every_tool_says_enough_of_itself_for_the_gate() -> None:
    boundary = Boundary(tools=tuple(ToolRule(name, "ask") for name in TOOLS))
    assert validate_boundary(boundary, {name: tool.spec for name, tool in TOOLS.items()}) == []
    for tool in TOOLS.values():
        properties = tool.spec.parameters["properties"]
        assert isinstance(properties, dict)
        named = (*tool.spec.destinations, *tool.spec.text, *tool.spec.attachments, *tool.spec.data)
        assert set(named) <= set(properties), tool.spec.name
        assert tool.spec.effect != "external" or tool.spec.destinations, tool.spec.name
        assert (tool.spec.risk is Risk.READ) == (tool.spec.effect == "read"), tool.spec.name
        assert tool.spec.parameters["additionalProperties"] is False


def test_only_payments_spend_the_roles_money() -> None:
    assert [name for name, tool in TOOLS.items() if tool.spec.money] == ["order_payment"]
