"""Orders to pay, written into the payment book. Nothing leaves a bank account by itself."""

from app.adapters.tools.amounts import MONEY_PARAMETERS, money_argument, readable
from app.adapters.tools.wording import text_argument
from app.canon.tool import MovePayment, ToolCall, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk


class OrderPaymentTool:
    """Orders one payment. Payee and account are destinations, the amount comes out of the role's money budget."""

    spec = ToolSpec(
        name="order_payment",
        description="Order one payment: amount in minor units (whole rupiah, US cents), payee, account, reference.",
        parameters={
            "type": "object",
            "properties": {
                **MONEY_PARAMETERS,
                "payee": {"type": "string", "description": "Name of who is paid"},
                "account": {"type": "string", "description": "Account number or IBAN of the payee"},
                "reference": {"type": "string", "description": "Invoice number or purpose"},
            },
            "required": ["amount_minor", "currency", "payee", "account", "reference"],
            "additionalProperties": False,
        },
        risk=Risk.MONEY,
        effect="local",
        idempotent=True,
        destinations=("payee", "account"),
        money="amount_minor",
        currency="currency",
        words={
            "en": Wording("order a payment", "Pay {money} to {payee}, account {account}, for {reference}."),
            "id": Wording(
                "memerintahkan pembayaran", "Bayar {money} ke {payee}, rekening {account}, untuk {reference}."
            ),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        amount = money_argument(call.arguments)
        payee, account = text_argument(call.arguments, "payee"), text_argument(call.arguments, "account")
        reference = text_argument(call.arguments, "reference")
        return ToolResult(
            f"Ordered a payment of {readable(amount)} to {payee}, account {account}, for {reference}.",
            {"amount_minor": amount.minor, "currency": amount.currency, "payee": payee, "account": account},
            MovePayment(amount, payee, account, reference),
        )
