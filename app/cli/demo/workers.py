"""The demo's three workers: what the founder signs for each."""

from app.canon.contract import (
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Count,
    EngineBinding,
    Escalation,
    EscalationStep,
    Length,
    Max,
    Mode,
    OneOf,
    ProcedureStep,
    SumRule,
    Terms,
    ToolRule,
    WorkingHours,
)

READS = ("list_inputs", "read_input", "describe_table", "query_table")
NOTES = ("write_document", "write_note")


def _rules(mode: Mode, *tools: str) -> tuple[ToolRule, ...]:
    return tuple(ToolRule(tool, mode) for tool in tools)


def _budget(*, money_month: int = 0) -> tuple[BudgetLimit, ...]:
    limits = (
        BudgetLimit("usd_micros", "day", 2_000_000),
        BudgetLimit("usd_micros", "month", 20_000_000),
        BudgetLimit("tokens", "ticket", 200_000),
        BudgetLimit("tokens", "day", 1_000_000),
        BudgetLimit("calls", "ticket", 40),
        BudgetLimit("calls", "day", 500),
        BudgetLimit("minutes", "day", 240),
    )
    if not money_month:
        return limits
    return (*limits, BudgetLimit("money", "month", money_month, "IDR"))


_LADDER = Escalation(
    ladder=(EscalationStep(1_800, "second_channel"), EscalationStep(7_200, "deputy")),
    expires_seconds=86_400,
)

RAKA = Terms(
    name="Raka",
    title="Keuangan",
    job_description=(
        "Membaca mutasi bank dan faktur, merangkum pemasukan dan pengeluaran, mencatat pendapatan, dan menyiapkan "
        "perintah bayar. Tidak pernah membayar tanpa keputusan pendiri."
    ),
    boundary=Boundary(
        tools=(
            *_rules("allow", *READS, *NOTES),
            ToolRule(
                "record_revenue",
                "allow",
                arguments=(
                    ArgumentRule("currency", (OneOf(("IDR",)),), "deny"),
                    ArgumentRule("amount_minor", (Max(50_000_000),)),
                ),
                sums=(SumRule("amount_minor", "month", 500_000_000),),
            ),
            ToolRule(
                "order_payment",
                "ask",
                arguments=(ArgumentRule("currency", (OneOf(("IDR",)),), "deny"),),
                sums=(SumRule("amount_minor", "month", 25_000_000, "deny"),),
            ),
        ),
        data_scopes=("keuangan",),
        calls_per_minute=120,
    ),
    budget=_budget(money_month=25_000_000),
    escalation=_LADDER,
)

SARI = Terms(
    name="Sari",
    title="Layanan pelanggan",
    job_description=(
        "Membaca surel pelanggan, menyusun balasan yang sopan, merangkum keluhan, dan mencatat masukan. Setiap surel "
        "keluar menunggu persetujuan pendiri."
    ),
    boundary=Boundary(
        tools=(
            *_rules("allow", *READS, *NOTES),
            ToolRule(
                "send_email",
                "ask",
                arguments=(
                    ArgumentRule("to", (Count(3),), "deny"),
                    ArgumentRule("body", (Length(5_000),)),
                ),
            ),
        ),
        data_scopes=("pelanggan",),
        calls_per_minute=60,
    ),
    budget=_budget(),
    escalation=_LADDER,
)

BIMO = Terms(
    name="Bimo",
    title="Pembelian",
    job_description=(
        "Membandingkan daftar harga pemasok dan menyusun usulan pembelian. Tidak menghubungi pemasok dan tidak "
        "mengirim apa pun keluar."
    ),
    boundary=Boundary(
        tools=(
            *_rules("allow", *READS, *NOTES),
            ToolRule("send_email", "deny"),
        ),
        data_scopes=("pembelian",),
        working_hours=WorkingHours(),
    ),
    budget=_budget(),
    engine=EngineBinding(
        worker="procedure",
        backbone="plain",
        procedure=(
            ProcedureStep("list_inputs", save_as="berkas"),
            ProcedureStep("describe_table", {"name": "{{ ticket.fields.berkas }}"}, save_as="tabel"),
            ProcedureStep(
                "query_table",
                {
                    "sql": (
                        "SELECT jenis, pemasok, kualitas, harga_per_kg, minimum_kg, waktu_kirim_hari "
                        'FROM "{{ tabel.table }}" '
                        "QUALIFY row_number() OVER (PARTITION BY jenis ORDER BY harga_per_kg) = 1 ORDER BY jenis"
                    )
                },
                save_as="termurah",
            ),
            ProcedureStep(
                "write_document",
                {
                    "name": "usulan-pembelian.md",
                    "media_type": "text/markdown",
                    "content": (
                        "# Pemasok termurah untuk tiap jenis\n\n"
                        "| Jenis | Pemasok | Kualitas | Harga per kg | Minimum | Waktu kirim |\n"
                        "|---|---|---|---|---|---|\n"
                        "{% for jenis, pemasok, kualitas, harga, minimum, hari in termurah.rows %}"
                        "| {{ jenis }} | {{ pemasok }} | {{ kualitas }} | Rp{{ harga }} "
                        "| {{ minimum }} kg | {{ hari }} hari |\n"
                        "{% endfor %}"
                    ),
                },
                save_as="usulan",
            ),
            ProcedureStep(
                "send_email",
                {
                    "to": ["{{ ticket.fields.kirim_ke }}"],
                    "subject": "Usulan pembelian",
                    "body": "Terlampir usulan pembelian kami.",
                    "attachments": ["usulan-pembelian.md"],
                },
                when="ticket.fields.kirim_ke",
            ),
        ),
    ),
)

WORKERS = (RAKA, SARI, BIMO)
