"""What pgbench runs: an append, a plain INSERT of the same bytes, a business row with its event; and their rates."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from app.own_postgres import url
from app.own_postgres.place import place
from app.settings import Settings
from bench.figures import middle

TENANT = UUID("018f0000-0000-7000-8000-000000000000")
TICKET, RUN = "018f0000-0000-7000-8000-00000000aaaa", "018f0000-0000-7000-8000-00000000bbbb"
HEX = "5c" * 32
DATA = f'{{"answer_sha256":"{HEX}","args_sha256":"{HEX}","cost_usd_micros":1840,"tokens":912,"tool":"mail_send"}}'
EVIDENCE = (
    f'[{{"key":"sha256/5c/{HEX}","media_type":"application/json","name":"answer","sha256":"{HEX}","size_bytes":4096}}]'
)
BODY = f'"data":{DATA},"evidence":{EVIDENCE}'
WARM_SECONDS = 1
DOCUMENT_BYTES = 990  # of the document that the trigger makes of it, give or take the digits of its numbers

# The client chooses the ids in the product, in order of time; here the transaction's number stands in, since uuidv7()
# opens /dev/urandom each time where PostgreSQL is built without OpenSSL.
_EVENT = (
    "INSERT INTO governance_ledger.governance_events (tenant_id, event_id, occurred_at, type, actor, ticket_id, "
    "run_id, step, evidence_url, subjects, body) VALUES (current_setting('app.tenant')::uuid, "
    "lpad(pg_current_xact_id()::text, 32, '0')::uuid, now(), 'tool.done', "
    f"'worker:018f0000-0000-7000-8000-00000000cccc', '{TICKET}', '{RUN}', 7, 'sha256/5c/{HEX}', "
    "{subjects}, '{body}')"
)
_TENANT = "'018f0000-0000-7000-8000-' || lpad((random() * 63)::int::text, 12, '0')"
_ROW = (
    "INSERT INTO bench.{table} VALUES "
    "(lpad(:id::text, 32, '0')::uuid, current_setting('app.tenant')::uuid, :id, 'a note');"
)


def append_script(tenants: int) -> str:
    return _one_of(tenants) + _EVENT.format(subjects="'{}'", body=_literal(BODY)) + ";\n"


def plain_script(tenants: int) -> str:
    body = _literal(BODY) + "-" * (DOCUMENT_BYTES - len(BODY))
    insert = f"INSERT INTO bench.plain (tenant_id, body) VALUES (current_setting('app.tenant')::uuid, '{body}');\n"
    return _one_of(tenants) + insert


def business_script(table: str) -> str:
    """A business row and the event that names it, in one transaction."""
    subjects = f"ARRAY['bench.{table}/' || lpad(:id::text, 32, '0')::uuid]"
    event = _EVENT.format(subjects=subjects, body=_literal(BODY))
    return f"\\set id random(1, 9000000000000000000)\nBEGIN;\n{_ROW.format(table=table)}\n{event};\nEND;\n"


def _literal(text: str) -> str:
    """The text inside an SQL literal, so that pgbench does not take `:null` for one of its variables."""
    return re.sub(":(?=[a-z])", ":' || '", text)


def _one_of(tenants: int) -> str:
    return f"SELECT set_config('app.tenant', {_TENANT}, false);\n" if tenants > 1 else ""


class Bench(NamedTuple):
    """A prepared database, and how long and how often to measure.

    The first second of each run is left out, on both sides: sessions are made in it, and each meets its statement for
    the first time. A pool of connections does that once in its life.
    """

    settings: Settings
    pairs: int
    seconds: float

    def rate(self, script: str, clients: int, *options: str) -> float:
        """Transactions a second of one pgbench run."""
        home = self.settings.home
        seconds = max(round(self.seconds), 1)
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            ran = subprocess.run(
                [
                    str(place(home).binaries / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
                    "-T", str(WARM_SECONDS + seconds), "-P", str(WARM_SECONDS), "-f", file.name, *options,
                    url(home, "flr_app"),
                ],
                env={"PGOPTIONS": f"-c app.tenant={TENANT}", "LC_ALL": "C"},
                capture_output=True,
                text=True,
                check=False,
            )  # fmt: skip
        done = re.search(r"actually processed: ([0-9]+)\nnumber of failed transactions: 0 ", ran.stdout)
        warming = re.search(r"progress: ([0-9.]+) s, ([0-9.]+) tps", ran.stderr)
        if done is None or warming is None:
            raise SystemExit(f"pgbench failed: {ran.stderr}\n{ran.stdout}")
        return (int(done[1]) - float(warming[1]) * float(warming[2])) / seconds

    def latencies(self, script: str, clients: int) -> list[float]:
        """Milliseconds of each transaction of one pgbench run, sorted."""
        with tempfile.TemporaryDirectory() as folder:
            self.rate(script, clients, "-l", f"--log-prefix={folder}/log")
            lines = [line.split() for path in Path(folder).iterdir() for line in path.read_text().splitlines()]
        ended = [(int(seconds) + int(micros) / 1e6, int(took) / 1000) for _, _, took, _, seconds, micros in lines]
        warm = min(at for at, _ in ended) + WARM_SECONDS
        return sorted(took for at, took in ended if at > warm)

    def ratio(self, measured: str, against: str, clients: int) -> tuple[float, float]:
        """The median ratio of interleaved pairs, and the median rate of what it is measured against."""
        ratios, rates = [], []
        for number in range(self.pairs):
            pair = [measured, against] if number % 2 else [against, measured]
            rate = {script: self.rate(script, clients) for script in pair}
            ratios.append(rate[measured] / rate[against])
            rates.append(rate[against])
        return middle(ratios), middle(rates)
