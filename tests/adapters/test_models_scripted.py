"""The scripted model: it reads tickets and tools' answers by rules, and holds no result of its own."""

import asyncio
import csv
import io
import json
import random
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.agents.prompts import FINAL_ANSWER, by_wire_name, declared, system_prompt, ticket_prompt, told
from app.adapters.models import scripted
from app.adapters.models.scripted import completion
from app.adapters.models.scripted.amounts import amount_in, plain_number, readable
from app.adapters.models.scripted_server import serving
from app.adapters.tools import load_tools
from app.canon.agent import Task
from app.canon.tool import Arguments, ToolAnswer
from app.cli.demo.seeding import FILES
from app.cli.demo.tickets import TICKETS, DemoTicket
from app.cli.demo.workers import WORKERS
from tests.adapters.step_driver import Files, a_plain_tool, a_task, a_tool

TOOLS = load_tools()


class Played(msgspec.Struct):
    """How a ticket went: the calls in order, and the last word."""

    calls: list[tuple[str, Arguments]]
    answer: str = ""
    success: bool = True

    def only(self, tool: str) -> Arguments:
        [arguments] = [arguments for name, arguments in self.calls if name == tool]
        return arguments

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


async def play(
    task: Task,
    files: Mapping[str, bytes] | None = None,
    *,
    tools: Sequence[str] = tuple(TOOLS),
    verdicts: Mapping[str, ToolAnswer] | None = None,
) -> Played:
    """Lets the model carry out a ticket with the shipped tools; mail and pages stay here."""
    attached = Files(files or {})
    task = msgspec.structs.replace(task, inputs=attached.files)
    offered = [_offered(name, attached) for name in tools]
    performs = {spec.name: perform for spec, perform in offered}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": system_prompt(task)},
        {"role": "user", "content": ticket_prompt(task)},
    ]
    functions = declared(by_wire_name([spec for spec, _ in offered]))
    played = Played([])
    for _ in range(20):
        message = completion({"messages": messages, "tools": functions})["choices"][0]["message"]
        [call] = message["tool_calls"]
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        if name == FINAL_ANSWER:
            return msgspec.structs.replace(played, answer=arguments["answer"], success=arguments["success"])
        played.calls.append((name, arguments))
        answer = (verdicts or {}).get(name) or await performs[name](arguments)
        messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": told(answer)}]
    raise AssertionError(f"the model did not come to an end: {played.names}")


def _offered(name: str, files: Files) -> Any:
    spec = TOOLS[name].spec
    if not name.startswith(("http_", "send_")):
        return a_tool(TOOLS[name], files)

    async def done(arguments: Arguments) -> ToolAnswer:
        return ToolAnswer("done", "HTTP 200\n\nOpening hours: 9 to 17" if "url" in arguments else "sent")

    _, perform = a_plain_tool(name, done)
    return spec, perform


# A question about a table


def flights(chance: random.Random) -> tuple[str, list[tuple[str, str, int, int]]]:
    rows = [
        (carrier, origin, month, chance.randint(-30, 120))
        for carrier in ("UA", "AA", "DL", "B6", "WN", "EV")
        for origin in ("JFK", "EWR")
        for month in (1, 2, 7)
        for _ in range(chance.randint(1, 6))
    ]
    lines = [f"{carrier},{origin},{month},{delay},{delay // 2}" for carrier, origin, month, delay in rows]
    return "carrier,origin,month,arr_delay,dep_delay\n" + "\n".join(lines) + "\nUA,JFK,7,,\n", rows


def worst(rows: list[tuple[str, str, int, int]], month: int, *, best: bool = False) -> list[str]:
    delays: dict[str, list[int]] = {}
    for carrier, _, at, delay in rows:
        if at == month:
            delays.setdefault(carrier, []).append(delay)
    sign = 1 if best else -1
    return sorted(delays, key=lambda name: (sign * Decimal(sum(delays[name])) / len(delays[name]), name))


QUESTIONS = [
    "Find the {count} carriers with the worst mean arrival delay in month {month}, write a report and mail it to {to}.",
    "Which {count} airlines had the highest average arrival delay in {name}? Send the report to {to}.",
    "Cari {count} maskapai dengan rata-rata keterlambatan kedatangan terburuk pada bulan {month}, kirim ke {to}.",
    "Carilah {words} maskapai dengan rata-rata keterlambatan kedatangan tertinggi bulan {nama}. Kirim laporan ke {to}.",
]
MONTHS = {1: ("January", "Januari"), 2: ("February", "Februari"), 7: ("July", "Juli")}
NUMBERS = {1: "satu", 2: "dua", 3: "tiga", 4: "empat", 5: "lima"}


@pytest.mark.parametrize("wording", QUESTIONS)
async def test_a_question_about_a_table_is_answered_from_the_table(wording: str) -> None:
    chance = random.Random(wording)
    for _ in range(2):
        count, month, to = chance.randint(1, 5), chance.choice([1, 2, 7]), f"p{chance.randint(1, 999)}@example.org"
        english, indonesian = MONTHS[month]
        table, rows = flights(chance)
        text = wording.format(count=count, month=month, to=to, name=english, nama=indonesian, words=NUMBERS[count])
        played = await play(a_task("Delays", text), {"flights.csv": table.encode()})
        mail = played.only("send_email")
        assert played.success
        assert played.names == ["describe_table", "query_table", "write_document", "send_email"]
        assert mail["to"] == [to]
        assert mail["attachments"] == [played.only("write_document")["name"]]
        for content in (str(mail["body"]), str(played.only("write_document")["content"])):
            assert re.findall(r"^\|? ?(UA|AA|DL|B6|WN|EV)\b", content, re.MULTILINE) == worst(rows, month)[:count]


async def test_best_is_the_other_end_of_worst() -> None:
    table, rows = flights(random.Random(3))
    text = "Find the 2 carriers with the best mean arrival delay in month 7 and write a report."
    played = await play(a_task("Delays", text), {"flights.csv": table.encode()})
    content = str(played.only("write_document")["content"])
    assert re.findall(r"^\| (UA|AA|DL|B6|WN|EV)\b", content, re.MULTILINE) == worst(rows, 7, best=True)[:2]


async def test_a_condition_on_another_column_is_kept() -> None:
    table, rows = flights(random.Random(5))
    text = "What is the mean arrival delay of flights from JFK in month 2? Write a report."
    played = await play(a_task("Delays", text), {"flights.csv": table.encode()})
    delays = [delay for _, origin, month, delay in rows if (origin, month) == ("JFK", 2)]
    assert f"{round(Decimal(sum(delays)) / len(delays), 2).normalize():f}" in str(
        played.only("write_document")["content"]
    )


SALES = (
    "tanggal,kota,penjualan\n2026-09-03,Bandung,100\n2026-10-05,Bandung,250\n2026-10-09,Solo,900\n2026-10-20,Solo,50\n"
)


async def test_totals_per_group_over_a_date_column() -> None:
    text = "Hitung total penjualan per kota pada bulan Oktober dan buat laporan."
    played = await play(a_task("Penjualan Oktober", text), {"penjualan.csv": SALES.encode()})
    content = str(played.only("write_document")["content"])
    assert re.findall(r"^\| (Bandung|Solo) \| ([\d.]+)", content, re.MULTILINE) == [
        ("Solo", "950.0"),
        ("Bandung", "250.0"),
    ] or ("| Solo | 950" in content and "| Bandung | 250" in content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How many sales per city? Write a report.", [("Bandung", "2"), ("Solo", "2")]),
        ("Berapa jumlah transaksi per kota? Buat laporan.", [("Bandung", "2"), ("Solo", "2")]),
        ("What is the highest sale per city? Write a report.", [("Solo", "900"), ("Bandung", "250")]),
        ("What is the smallest sale per city? Write a report.", [("Solo", "50"), ("Bandung", "100")]),
        ("Top 1 city by total sales. Write a report.", [("Solo", "950")]),
    ],
)
async def test_counts_and_extremes_are_told_apart(text: str, expected: list[tuple[str, str]]) -> None:
    played = await play(a_task("Sales", text), {"sales.csv": SALES.encode()})
    content = str(played.only("write_document")["content"])
    assert re.findall(r"^\| (Bandung|Solo) \| (\d+)", content, re.MULTILINE) == expected


async def test_numbers_that_the_file_writes_with_blanks_are_still_numbers() -> None:
    table = "team,score\nred,NA\nred,4\nblue,x\nblue,10\n"
    text = "Which team has the highest average score? Write a report."
    played = await play(a_task("Scores", text), {"scores.csv": table.encode()})
    assert "blue" in str(played.only("write_document")["content"]).split("```")[0]


async def test_a_question_that_names_no_column_is_admitted_not_guessed() -> None:
    played = await play(a_task("Hm", "Tell me about the weather."), {"flights.csv": b"carrier,delay\nUA,1\n"})
    assert not played.success
    assert played.names == ["describe_table"]


# A bank statement


def statement(chance: random.Random) -> tuple[list[tuple[str, str, int]], dict[str, int]]:
    kinds = {
        "Gaji": ("TRSF GAJI KARYAWAN", -1),
        "Utilitas": ("BAYAR PLN LISTRIK", -1),
        "Penjualan": ("PELUNASAN INVOICE TOKO", 1),
        "Biaya bank": ("BIAYA ADM", -1),
        "Lain-lain": ("XYZZY", -1),
    }
    rows, totals = [], dict.fromkeys(kinds, 0)
    for name, (words, sign) in kinds.items():
        for number in range(chance.randint(1, 4)):
            amount = chance.randint(1, 9_000_000)
            totals[name] += amount
            rows.append((name, f"{words} {number}", sign * amount))
    chance.shuffle(rows)
    return rows, totals


def dotted(amount: int) -> str:
    return f"{abs(amount):,}".replace(",", ".")


STATEMENTS = {
    "signed": lambda rows: (
        "tanggal,keterangan,jumlah\n" + "".join(f"2026-10-01,{words},{amount}\n" for words, amount in rows)
    ),
    "two columns": lambda rows: (
        "Tanggal;Keterangan;Debit;Kredit;Saldo\n"
        + "".join(f"01/10/2026;{w};{-a if a < 0 else ''};{a if a > 0 else ''};0\n" for w, a in rows)
    ),
    "as printed": lambda rows: (
        "Tanggal,Keterangan,Jumlah,Jenis\n"
        + "".join(f'01/10/2026,{w},"Rp {dotted(a)},00",{"DB" if a < 0 else "CR"}\n' for w, a in rows)
    ),
}


@pytest.mark.parametrize("form", STATEMENTS)
async def test_a_bank_statement_is_sorted_and_summed(form: str) -> None:
    rows, totals = statement(random.Random(form))
    content = STATEMENTS[form]([(words, amount) for _, words, amount in rows])
    text = "Golongkan mutasi rekening koran bulan Oktober ke dalam kategori dan laporkan totalnya."
    played = await play(a_task("Rekening koran Oktober", text), {"rekening-koran.csv": content.encode()})
    report = str(played.only("write_document")["content"])
    assert played.success
    for name, total in totals.items():
        [line] = [line for line in report.splitlines() if line.startswith(f"| {name} |")]
        assert f"{total:,}" in line
    money_out = sum(total for name, total in totals.items() if name != "Penjualan")
    assert f"masuk {totals['Penjualan']:,}, keluar {money_out:,}" in played.answer


# Price lists


async def test_the_cheapest_supplier_of_each_item_is_found() -> None:
    table = "supplier,item,price\nSumber,Gula,15000\nMakmur,Gula,14200\nSumber,Teh,8000\nMakmur,Teh,9100\n"
    text = "Compare the price list: who is the cheapest supplier for each item? Write a report."
    played = await play(a_task("Suppliers", text), {"prices.csv": table.encode()})
    content = str(played.only("write_document")["content"])
    assert "| Gula | Makmur | 14200" in content
    assert "| Teh | Sumber | 8000" in content


async def test_two_price_lists_are_compared_item_by_item() -> None:
    old, new = "Barang,Harga\nGula,15000\nTeh,8000\nKopi,30000\n", "Barang,Harga\nGula,16500\nTeh,8000\nSusu,12000\n"
    text = "Bandingkan daftar harga lama dan baru, buat laporan kenaikannya."
    played = await play(a_task("Kenaikan", text), {"lama.csv": old.encode(), "baru.csv": new.encode()})
    content = str(played.only("write_document")["content"])
    [sugar] = [line for line in content.splitlines() if line.startswith("| gula")]
    assert [cell.strip() for cell in sugar.strip("|").split("|")][1:4] == ["15000", "16500", "1500"]
    assert "kopi" in content
    assert "susu" in content


async def test_price_columns_of_one_list_are_compared() -> None:
    table = "Item,Price Sumber,Price Makmur\nGula,15000,14200\nTeh,8000,9100\n"
    played = await play(a_task("Prices", "Compare the prices and write a report."), {"prices.csv": table.encode()})
    assert "| Gula | Price Makmur | 14200" in str(played.only("write_document")["content"])


# Mails

ASKING = (
    b"From: Siti Rahma <siti@tokositi.co.id>\r\nTo: halo@kopikita.id\r\nSubject: Harga kopi\r\n"
    b"Date: Mon, 02 Nov 2026 08:00:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Selamat pagi,\r\n\r\nBerapa harga untuk 20 kg Kopi Gayo dan 5 kg Teh Melati? Kapan bisa dikirim?\r\n\r\nSiti\r\n"
)
PRICES = "Barang,Harga\nKopi Gayo,120000\nKopi Toraja,135000\nTeh Melati,45000\n"


async def test_a_customers_mail_is_answered_with_the_prices_it_asks_for() -> None:
    text = "Balas email pelanggan memakai daftar harga terlampir."
    played = await play(a_task("Tanya harga", text), {"tanya.eml": ASKING, "harga.csv": PRICES.encode()})
    mail = played.only("send_email")
    assert mail["to"] == ["siti@tokositi.co.id"]
    assert mail["subject"] == "Re: Harga kopi"
    body = str(mail["body"])
    assert "Yth. Siti Rahma" in body
    assert "Kopi Gayo: 20 × 120,000 = 2,400,000" in body
    assert "Teh Melati: 5 × 45,000 = 225,000" in body
    assert "Total: 2,625,000" in body
    assert "Toraja" not in body


async def test_a_draft_is_written_and_not_sent() -> None:
    played = await play(
        a_task("Draft", "Draft a reply to the attached mail, saying that we deliver on Friday."), {"m.eml": ASKING}
    )
    assert "send_email" not in played.names
    draft = str(played.only("write_document")["content"])
    assert draft.startswith("To: siti@tokositi.co.id\nSubject: Re: Harga kopi")
    assert "We deliver on Friday." in draft


async def test_without_prices_the_questions_are_taken_up() -> None:
    played = await play(a_task("Reply", "Reply to the attached mail."), {"m.eml": ASKING})
    assert "Kapan bisa dikirim?" in str(played.only("send_email")["body"])


# Invoices

INVOICES = {
    "Bayar tagihan terlampir.": """FAKTUR
No. Faktur: INV/2026/0{n}
Dari: CV Kertas Jaya
Subtotal: Rp 1.000
Total tagihan: Rp {dotted}
Mohon transfer ke No. Rekening: BCA 8012345{n} a.n. CV Kertas Jaya
""",
    "Please pay the attached invoice.": """INVOICE
Invoice no: INV-{n}
Paper 10 x 1,000
Total due: IDR {comma}
Account number: 8012345{n}
Beneficiary: CV Kertas Jaya
""",
}


@pytest.mark.parametrize("ask", INVOICES)
async def test_an_invoice_is_proposed_for_payment_as_it_says(ask: str) -> None:
    chance = random.Random(ask)
    for _ in range(5):
        amount, number = chance.randint(100_000, 90_000_000), chance.randint(100, 999)
        content = INVOICES[ask].format(n=number, dotted=dotted(amount), comma=f"{amount:,}")
        played = await play(a_task("Tagihan kertas", ask), {"faktur.txt": content.encode()})
        order = played.only("order_payment")
        assert (order["amount_minor"], order["currency"]) == (amount, "IDR")
        assert order["payee"] == "CV Kertas Jaya"
        assert order["account"] in (f"8012345{number}", f"BCA 8012345{number}")
        assert str(number) in str(order["reference"])


async def test_an_invoice_that_came_by_mail_is_read_from_the_mail() -> None:
    body = b"Tagihan no. INV-77\r\nJumlah tagihan: Rp 4.500.000\r\nRekening: Mandiri 1370001 a.n. PT Listrik Terang\r\n"
    mail = ASKING.split(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    played = await play(a_task("Tagihan", "Bayar tagihan di email terlampir."), {"tagihan.eml": mail})
    order = played.only("order_payment")
    assert (order["amount_minor"], order["payee"], order["reference"]) == (4_500_000, "PT Listrik Terang", "INV-77")
    assert order["account"] == "Mandiri 1370001"


async def test_the_tickets_own_fields_go_before_what_a_file_says() -> None:
    content = b"Total: Rp 900.000\nRekening: 999888777\na.n. Penipu\nInvoice: X-1\n"
    fields = {"payee": "CV Kertas Jaya", "account": "BCA 123456789", "amount": "Rp 450.000"}
    played = await play(a_task("Bayar", "Bayar tagihan.", fields=fields), {"faktur.txt": content})
    order = played.only("order_payment")
    assert (order["amount_minor"], order["payee"], order["account"]) == (450_000, "CV Kertas Jaya", "BCA 123456789")


async def test_an_invoice_without_an_account_is_not_paid_by_guessing() -> None:
    played = await play(a_task("Pay", "Pay the attached invoice."), {"invoice.txt": b"Total due: USD 12.50\n"})
    assert not played.success
    assert "order_payment" not in played.names


# Errands


async def test_revenue_in_the_instructions_is_recorded() -> None:
    played = await play(a_task("Penjualan toko", "Catat pendapatan Rp 4.750.000 dari Toko Maju untuk pesanan 12."))
    assert played.only("record_revenue") == {
        "amount_minor": 4_750_000,
        "currency": "IDR",
        "source": "Toko Maju",
        "description": "Penjualan toko",
    }


async def test_cents_are_counted_where_a_currency_has_them() -> None:
    played = await play(a_task("Sale", "Record revenue of USD 1,250.50 from Acme for the workshop."))
    assert (played.only("record_revenue")["amount_minor"], played.only("record_revenue")["currency"]) == (125050, "USD")


async def test_work_is_handed_on_as_a_ticket() -> None:
    played = await play(a_task("Hand on", "Open a ticket for the bookkeeper: check invoice 12 against the order."))
    opened = played.only("open_ticket")
    assert opened["role"] == "bookkeeper"
    assert opened["title"] == "check invoice 12 against the order"


async def test_a_page_named_in_the_ticket_is_read_and_reported() -> None:
    played = await play(a_task("Hours", "Fetch https://example.org/hours and write a report."))
    assert played.only("http_get")["url"] == "https://example.org/hours"
    assert "Opening hours: 9 to 17" in str(played.only("write_document")["content"])


async def test_a_note_is_left_when_the_ticket_wants_one() -> None:
    played = await play(
        a_task("Notes", "Summarise the file and leave a note."), {"minutes.txt": b"We agreed on 12 crates.\n"}
    )
    assert "12 crates" in str(played.only("write_note")["text"])


# The demo's own tickets


def demo(title: str) -> tuple[DemoTicket, dict[str, bytes], list[dict[str, str]]]:
    """A ticket of the demo, its files, and the rows of the first one when it is a table."""
    ticket = next(ticket for ticket in TICKETS if ticket.title == title)
    files = {name: (FILES / name).read_bytes() for name in ticket.files}
    first = ticket.files[0]
    rows = list(csv.DictReader(io.StringIO(files[first].decode()))) if first.endswith(".csv") else []
    return ticket, files, rows


async def play_demo(title: str) -> tuple[Played, list[dict[str, str]]]:
    ticket, files, rows = demo(title)
    raka, sari, _ = WORKERS
    terms = sari if ticket.worker == sari.name else raka
    tools = [rule.tool for rule in terms.boundary.tools if rule.mode != "deny"]
    return await play(a_task(ticket.title, ticket.instructions, fields=ticket.fields), files, tools=tools), rows


def summed(rows: list[dict[str, str]], column: str, by: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[by]] = totals.get(row[by], 0) + int(row[column])
    return totals


async def test_the_demo_sums_the_statement_by_type() -> None:
    played, rows = await play_demo("Ringkas mutasi bank Oktober")
    assert played.names == ["describe_table", "query_table", "write_document"]
    for kind, total in summed(rows, "jumlah", "tipe").items():
        assert f"{kind} ({total:,})" in played.answer


async def test_the_demo_finds_the_largest_expenses() -> None:
    played, rows = await play_demo("Lima pengeluaran terbesar bulan Oktober")
    content = str(played.only("write_document")["content"])
    largest = sorted((row for row in rows if row["tipe"] == "DB"), key=lambda row: -int(row["jumlah"]))[:5]
    found = [line for line in content.splitlines() if re.match(r"\| 2026-10", line)]
    assert [line.split(" | ")[1] for line in found] == [row["keterangan"] for row in largest]


async def test_the_demo_records_the_weeks_revenue() -> None:
    played, rows = await play_demo("Catat pendapatan pekan ini")
    recorded = played.only("record_revenue")
    assert recorded["amount_minor"] == sum(int(row["total"]) for row in rows)
    assert (recorded["currency"], recorded["source"]) == ("IDR", "toko")


async def test_the_demo_proposes_the_invoice_for_payment() -> None:
    played, _ = await play_demo("Bayar faktur INV-2026-118")
    assert played.names == ["read_input", "order_payment"]
    assert played.only("order_payment") == {
        "amount_minor": 12_105_000,
        "currency": "IDR",
        "payee": "PT Sumber Kopi Gayo",
        "account": "5220304412",
        "reference": "INV-2026-118",
    }


async def test_the_demo_answers_the_complaint() -> None:
    played, _ = await play_demo("Balas keluhan Bu Ratna")
    assert played.names == ["read_input", "send_email"]
    mail = played.only("send_email")
    assert mail["to"] == ["ratna.wulandari@contohmail.id"]
    assert mail["subject"] == "Re: Pesanan KS-20931 datang dengan kemasan robek"
    body = str(mail["body"])
    assert "Kami mohon maaf atas ketidaknyamanan ini." in body
    assert "Kami tawarkan untuk kirim pengganti untuk pesanan KS-20931." in body


async def test_the_demo_notes_the_feedback() -> None:
    played, _ = await play_demo("Catat masukan Hotel Melati")
    assert played.names == ["read_input", "write_note"]
    note = str(played.only("write_note")["text"])
    assert "Masukan untuk pasokan bulan November" in note
    assert "pengiriman hari Senin" in note


async def test_the_demo_sums_sales_by_channel() -> None:
    played, rows = await play_demo("Penjualan per kanal")
    for channel, total in summed(rows, "total", "kanal").items():
        assert f"{channel} ({total:,})" in played.answer


async def test_the_demo_averages_the_statement() -> None:
    played, rows = await play_demo("Tutup buku Oktober")
    for kind, total in summed(rows, "jumlah", "tipe").items():
        mean = Decimal(total) / sum(row["tipe"] == kind for row in rows)
        assert f"{kind} ({readable(round(mean, 2))})" in played.answer


# What it cannot do, it says


@pytest.mark.parametrize("status", ["refused", "rejected", "expired", "withdrawn", "failed"])
async def test_what_was_not_done_is_told_with_what_was(status: str) -> None:
    table, _ = flights(random.Random(1))
    verdict = ToolAnswer(status, "not to strangers")  # type: ignore[arg-type]
    text = "Find the 2 carriers with the worst mean arrival delay in month 1 and mail it to a@example.org."
    played = await play(a_task("Delays", text), {"f.csv": table.encode()}, verdicts={"send_email": verdict})
    assert not played.success
    assert "not to strangers" in played.answer
    assert "Report written" in played.answer
    assert played.names.count("send_email") == 1


async def test_a_tool_it_was_not_given_is_missed_aloud() -> None:
    table, _ = flights(random.Random(1))
    text = "Find the 2 carriers with the worst mean arrival delay in month 1 and mail it to a@example.org."
    played = await play(a_task("Delays", text), {"f.csv": table.encode()}, tools=["describe_table", "query_table"])
    assert not played.success
    assert "send_email" in played.answer


async def test_a_ticket_its_rules_do_not_know_is_given_back() -> None:
    played = await play(a_task("Poem", "Compose something about the sea."))
    assert not played.success
    assert played.calls == []
    assert "scripted model" in played.answer


# The model as such


def test_the_rules_hold_no_result_of_any_data_set() -> None:
    """Words of the real data sets stand nowhere in the rules: what is answered comes from the tools."""
    folder = Path(scripted.__file__).parent
    text = "\n".join(path.read_text() for path in folder.glob("*.py"))
    assert not re.search(r"\b(UA|AA|DL|EV|FL|JFK|LGA|EWR|nycflights|flights|example\.org)\b", text)


def test_the_same_request_gets_the_same_answer_to_the_byte() -> None:
    body = {"messages": [{"role": "user", "content": "Ticket: A\n\nCatat pendapatan Rp 5.000 dari B."}], "tools": []}
    assert json.dumps(completion(body)) == json.dumps(completion(json.loads(json.dumps(body))))
    assert completion(body)["model"] == "scripted"


@given(st.text(max_size=300), st.lists(st.text(max_size=100), max_size=3))
def test_no_ticket_and_no_answer_breaks_it(text: str, answers: list[str]) -> None:
    functions = declared(by_wire_name([tool.spec for tool in TOOLS.values()]))
    ticket = f"Ticket: T\n\n{text}\n\nAttached files:\n- a.csv (text/csv, 1 bytes)\n- b.eml (message/rfc822, 1 bytes)"
    messages = [{"role": "user", "content": ticket}, *({"role": "tool", "content": answer} for answer in answers)]
    assert completion({"messages": messages, "tools": functions})["choices"][0]["message"]["tool_calls"]


@pytest.mark.parametrize(
    ("written", "minor", "currency"),
    [
        ("Rp 1.250.000", 1_250_000, "IDR"),
        ("Rp1.250.000,00", 1_250_000, "IDR"),
        ("IDR 1,250,000", 1_250_000, "IDR"),
        ("1250000", 1_250_000, "IDR"),
        ("USD 1,250.50", 125_050, "USD"),
        ("$12.5", 1250, "USD"),
        ("€ 1.250,50", 125_050, "EUR"),
        ("12 pcs, 4.000 USD", 400_000, "USD"),
    ],
)
def test_amounts_are_read_as_people_write_them(written: str, minor: int, currency: str) -> None:
    amount = amount_in(written)
    assert amount is not None
    assert (amount.minor, amount.currency) == (minor, currency)


@given(st.integers(0, 10**12))
def test_whole_numbers_survive_both_ways_of_writing_thousands(value: int) -> None:
    assert plain_number(f"{value:,}") == plain_number(f"{value:,}".replace(",", ".")) == value


# The server


def post(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_server_speaks_chat_completions_and_says_what_it_is() -> None:
    with serving() as address:
        status, answer = post(f"{address}/chat/completions", b'{"messages": [{"role": "user", "content": "hi"}]}')
        with urllib.request.urlopen(f"{address}/models", timeout=10) as listed:
            models = json.load(listed)
    assert (status, answer["object"], answer["model"]) == (200, "chat.completion", "scripted")
    assert (
        answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"] > 0
    )
    assert models["data"][0]["id"] == "scripted"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/chat/completions", b"not json", 400),
        ("/chat/completions", b"[]", 400),
        ("/chat/completions", b'{"messages": "hi"}', 400),
        ("/chat/completions", b'{"messages": [], "stream": true}', 400),
        ("/embeddings", b"{}", 404),
    ],
)
def test_the_server_refuses_what_it_does_not_do_in_the_usual_form(path: str, body: bytes, status: int) -> None:
    with serving() as address:
        code, answer = post(f"{address}{path}", body)
    assert code == status
    assert answer["error"]["message"]


async def test_the_server_answers_many_at_once() -> None:
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    with serving() as address:
        answers = await asyncio.gather(
            *(asyncio.to_thread(post, f"{address}/chat/completions", body) for _ in range(32))
        )
    assert {status for status, _ in answers} == {200}


def test_as_a_process_it_says_where_it_listens_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "app.adapters.models.scripted_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        status, _ = post(f"{address}/chat/completions", b'{"messages": []}')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert status == 200


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with serving() as address:
        port = address.split(":")[2].removesuffix("/v1")
        command = [sys.executable, "-m", "app.adapters.models.scripted_server", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"The scripted model cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port."
    )
