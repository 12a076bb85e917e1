"""Price lists: who is cheapest, and what changed from one list to the next."""

from app.adapters.models.scripted.answers import Column, Described, Rows, described, rows
from app.adapters.models.scripted.conversation import File, Ticket
from app.adapters.models.scripted.plans import Call, GiveUp, Plan, must
from app.adapters.models.scripted.reports import Finding
from app.adapters.models.scripted.statements import number_sql


def compare_prices(ticket: Ticket, files: list[File]) -> Plan[Finding]:
    """The comparison that the files' columns allow."""
    tables: list[Described] = []
    for file in files[:2]:
        content = yield from must(ticket, Call("describe_table", {"name": file.name}))
        tables += [described(content, file.name)]
    query = comparison_sql(ticket, tables)
    found = rows((yield from must(ticket, Call("query_table", {"sql": query}))))
    return Finding(_sentence(ticket, found), found, query)


def comparison_sql(ticket: Ticket, tables: list[Described]) -> str:
    """Two lists: the difference for each item. One list: the cheapest supplier, or the cheapest price column."""
    first = tables[0]
    item = item_column(first)
    prices = price_columns(first)
    if item is None or not prices:
        raise GiveUp(ticket.speak("I see no items with prices.", "Tidak ada barang dengan harga."))
    if len(tables) == 2:
        return _between(ticket, first, tables[1])
    supplier = first.find("supplier")
    if supplier is not None:
        return _by_supplier(first, item, prices[0], supplier)
    if len(prices) > 1:
        return _by_column(first, item, prices)
    price = number_sql(prices[0])
    return (
        f"SELECT {item.quoted} AS item, {price} AS price FROM {first.quoted} ORDER BY {price}, {item.quoted} LIMIT 200"
    )


def item_column(table: Described) -> Column | None:
    texts = [column for column in table.columns if not column.is_number and not column.is_instant]
    named = [column for column in texts if {"item", "name", "description"} & set(column.concepts)]
    others = [column for column in texts if "supplier" not in column.concepts]
    return next(iter(named or others), None)


def price_columns(table: Described) -> list[Column]:
    named = [column for column in table.columns if "price" in column.concepts]
    numbers = [column for column in table.columns if column.is_number and "quantity" not in column.concepts]
    return named or numbers


def _between(ticket: Ticket, old: Described, new: Described) -> str:
    old_item, new_item = item_column(old), item_column(new)
    old_prices, new_prices = price_columns(old), price_columns(new)
    if old_item is None or new_item is None or not old_prices or not new_prices:
        raise GiveUp(ticket.speak("I see no items with prices.", "Tidak ada barang dengan harga."))
    before = f"SELECT lower(trim({old_item.quoted})) AS item, {number_sql(old_prices[0])} AS price FROM {old.quoted}"
    after = f"SELECT lower(trim({new_item.quoted})) AS item, {number_sql(new_prices[0])} AS price FROM {new.quoted}"
    return (
        f'SELECT COALESCE(a.item, b.item) AS item, a.price AS "{old.table}", b.price AS "{new.table}", '
        "b.price - a.price AS difference, ROUND(100.0 * (b.price - a.price) / NULLIF(a.price, 0), 1) AS percent "
        f"FROM ({before}) AS a FULL JOIN ({after}) AS b ON a.item = b.item "
        "ORDER BY abs(b.price - a.price) DESC NULLS LAST, 1 LIMIT 200"
    )


def _by_supplier(table: Described, item: Column, price: Column, supplier: Column) -> str:
    value = number_sql(price)
    return (
        f"SELECT {item.quoted} AS item, arg_min({supplier.quoted}, {value}) AS cheapest_supplier, "
        f"MIN({value}) AS lowest_price, MAX({value}) AS highest_price, MAX({value}) - MIN({value}) AS difference "
        f"FROM {table.quoted} WHERE {value} IS NOT NULL GROUP BY {item.quoted} ORDER BY difference DESC, item LIMIT 200"
    )


def _by_column(table: Described, item: Column, prices: list[Column]) -> str:
    values = ", ".join(number_sql(price) for price in prices)
    cheapest = " ".join(f"WHEN {number_sql(price)} = LEAST({values}) THEN '{price.name}'" for price in prices)
    return (
        f"SELECT {item.quoted} AS item, CASE {cheapest} END AS cheapest, LEAST({values}) AS lowest_price, "
        f"GREATEST({values}) - LEAST({values}) AS difference FROM {table.quoted} "
        "ORDER BY difference DESC, item LIMIT 200"
    )


def _sentence(ticket: Ticket, found: Rows) -> str:
    return ticket.speak("{} items compared.", "{} barang dibandingkan.").format(len(found.rows))
