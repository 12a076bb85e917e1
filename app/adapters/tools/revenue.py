"""Revenue, recorded as what came in; it becomes an event and a line in the money book."""

from app.adapters.tools.amounts import MONEY_PARAMETERS, money_argument, readable
from app.adapters.tools.wording import text_argument
from app.canon.tool import RecordRevenue, ToolCall, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk


class RecordRevenueTool:
    """Records money that came in. It moves none, so it needs no budget; cap it with `max` and sums in the role."""

    spec = ToolSpec(
        name="record_revenue",
        description="Record money that came in: amount in minor units (whole rupiah, US cents), source, description.",
        parameters={
            "type": "object",
            "properties": {
                **MONEY_PARAMETERS,
                "source": {"type": "string", "description": "Where it came from: shop, invoice number, customer"},
                "description": {"type": "string"},
            },
            "required": ["amount_minor", "currency", "source", "description"],
            "additionalProperties": False,
        },
        risk=Risk.REVERSIBLE,
        effect="local",
        idempotent=True,
        words={
            "en": Wording("record revenue", "Record revenue of {money} from {source}."),
            "id": Wording("mencatat pendapatan", "Catat pendapatan {money} dari {source}."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        amount = money_argument(call.arguments)
        source, description = text_argument(call.arguments, "source"), text_argument(call.arguments, "description")
        return ToolResult(
            f"Recorded {readable(amount)} from {source}.",
            {"amount_minor": amount.minor, "currency": amount.currency, "source": source},
            RecordRevenue(amount, source, description),
        )
