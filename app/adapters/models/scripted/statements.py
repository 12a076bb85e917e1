"""A bank statement sorted into categories by the words in its descriptions."""

from decimal import Decimal

from app.adapters.models.scripted.amounts import decimal_of, readable
from app.adapters.models.scripted.answers import Column, Described, Rows, described, rows
from app.adapters.models.scripted.conversation import File, Ticket
from app.adapters.models.scripted.plans import Call, GiveUp, Plan, must
from app.adapters.models.scripted.reports import Finding

CATEGORIES = (
    ("Salaries", "Gaji", "gaji|payroll|salary|salaries|upah|wages|honor|thr "),
    ("Tax", "Pajak", "pajak|tax|pph|ppn|vat"),
    ("Insurance", "Asuransi", "bpjs|asuransi|insurance"),
    ("Rent", "Sewa", "sewa|rent|kontrakan"),
    ("Utilities", "Utilitas", "pln|listrik|electric|pdam|telkom|indihome|internet|wifi|pulsa|telepon|phone"),
    ("Bank fees", "Biaya bank", "biaya adm|adm bank|admin fee|bank fee|provisi|bunga|interest|service charge"),
    ("Shipping", "Pengiriman", "jne|j&t|sicepat|anteraja|kurir|courier|ongkir|shipping|dhl|fedex|ekspedisi"),
    ("Transport", "Transportasi", "pertamina|bbm|spbu|fuel|tol |toll|grab|gojek|taxi|parkir|parking"),
    ("Software", "Perangkat lunak", "aws|google|microsoft|adobe|github|hosting|domain|software|langganan|subscription"),
    ("Marketing", "Pemasaran", "iklan|ads|facebook|meta |promo|marketing"),
    ("Loans", "Pinjaman", "cicilan|angsuran|pinjaman|loan"),
    ("Owner", "Pemilik", "prive|owner|pemilik"),
    ("Supplies", "Pembelian", "beli|pembelian|supplier|pemasok|bahan|material|grosir|purchase|kulakan|stok|stock"),
    (
        "Sales",
        "Penjualan",
        "jual|sales|invoice|inv|tokopedia|shopee|qris|midtrans|setoran|pelunasan|deposit|trf dari|masuk",
    ),
)


def sort_statement(ticket: Ticket, file: File) -> Plan[Finding]:
    """Money in and out for each category, summed by the database."""
    table = described((yield from must(ticket, Call("describe_table", {"name": file.name}))), file.name)
    query = statement_sql(ticket, table)
    found = rows((yield from must(ticket, Call("query_table", {"sql": query}))))
    return Finding(_sentence(ticket, found), _readable(found), query)


def statement_sql(ticket: Ticket, table: Described) -> str:
    words = _description(table)
    if words is None:
        raise GiveUp(ticket.speak("I see no column with descriptions.", "Tidak ada kolom keterangan."))
    cases = " ".join(
        f"WHEN regexp_matches(lower({words.quoted}), '{pattern}') THEN '{ticket.speak(english, indonesian)}'"
        for english, indonesian, pattern in CATEGORIES
    )
    other = ticket.speak("Other", "Lain-lain")
    sorted_rows = (
        f"SELECT CASE {cases} ELSE '{other}' END AS category, {_money(ticket, table)} AS money FROM {table.quoted}"
    )
    return (
        'SELECT category, COUNT(*) AS "rows", '
        "ROUND(SUM(CASE WHEN money > 0 THEN money ELSE 0 END), 2) AS money_in, "
        "ROUND(SUM(CASE WHEN money < 0 THEN -money ELSE 0 END), 2) AS money_out "
        f"FROM ({sorted_rows}) AS statement GROUP BY category ORDER BY money_out DESC, money_in DESC, category"
    )


def number_sql(column: Column) -> str:
    """The column as a number, also where the file writes `Rp 1.250.000,00`."""
    if column.is_number:
        return column.quoted
    kept = f"regexp_replace(CAST({column.quoted} AS VARCHAR), '[^0-9,.-]', '', 'g')"
    indonesian = f"replace(replace({kept}, '.', ''), ',', '.')"
    english = f"replace({kept}, ',', '')"
    is_english = f"regexp_matches({kept}, '(^[^.]*\\.[0-9]{{1,2}}$)|(,[0-9]{{3}}($|[.,]))')"
    return f"TRY_CAST(CASE WHEN {is_english} THEN {english} ELSE {indonesian} END AS DECIMAL(18, 2))"


def _description(table: Described) -> Column | None:
    texts = [column for column in table.columns if not column.is_number and not column.is_instant]
    return table.find("description", "name", "item") or (texts[-1] if texts else None)


def _money(ticket: Ticket, table: Described) -> str:
    debit, credit = table.find("debit"), table.find("credit")
    if debit and credit:
        return f"COALESCE({number_sql(credit)}, 0) - COALESCE({number_sql(debit)}, 0)"
    amount = table.find("amount") or next((column for column in table.columns if column.is_number), None)
    if amount is None:
        raise GiveUp(ticket.speak("I see no column with amounts.", "Tidak ada kolom jumlah."))
    kind = table.find("type", "dc", "dk", "cr", "db")
    if kind is None or kind == amount:
        return f"COALESCE({number_sql(amount)}, 0)"
    sign = f"CASE WHEN regexp_matches(upper({kind.quoted}), '^(D|OUT|KELUAR)') THEN -1 ELSE 1 END"
    return f"COALESCE({number_sql(amount)}, 0) * {sign}"


def _sentence(ticket: Ticket, found: Rows) -> str:
    count, money_in, money_out = (_sum(found, at) for at in (1, 2, 3))
    net = readable(money_in - money_out)
    shown = (readable(count), readable(money_in), readable(money_out), net)
    return ticket.speak(
        "{} rows sorted: {} came in, {} went out, {} net.", "{} baris digolongkan: masuk {}, keluar {}, bersih {}."
    ).format(*shown)


def _sum(found: Rows, at: int) -> Decimal:
    return sum((decimal_of(row[at]) for row in found.rows), Decimal(0))


def _readable(found: Rows) -> Rows:
    return Rows(found.columns, tuple((row[0], *(readable(decimal_of(cell)) for cell in row[1:])) for row in found.rows))
