"""In quiet hours nothing rings but what cannot wait; their end sums up what was held back."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.adapters.push import load_push
from app.canon.push import PushSender
from app.canon.vocabulary import Rol
from app.founder_console import ensure_console_keys
from app.founder_console.channels.quiet import held_back, quiet_until
from app.founder_console.keyfiles import VAPID
from app.founder_console.model import Founder, Preferences
from app.founder_console.store import update_preferences
from app.messages import QuietOver
from app.postgres import Database
from app.settings import Settings
from app.work_queue import decide
from tests.builders import APPROVALS
from tests.founder_console.push_service import PushService, push_service
from tests.founder_console.test_push import Office

WIB = ZoneInfo("Asia/Jakarta")
NIGHT = Founder(
    id=UUID(int=1),
    name="Dewi",
    rol=Rol.FOUNDER,
    language="id",
    theme="auto",
    hide_amounts=False,
    email="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    quiet_from=time(21),
    quiet_to=time(7),
)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ((20, 59), None),
        ((21, 0), (2, 7)),
        ((23, 30), (2, 7)),
        ((0, 0), (1, 7)),
        ((6, 59), (1, 7)),
        ((7, 0), None),
    ],
)
def test_quiet_hours_go_over_midnight(at: tuple[int, int], until: tuple[int, int] | None) -> None:
    moment = datetime(2026, 4, 1, *at, tzinfo=WIB)
    wanted = None if until is None else datetime(2026, 4, until[0], until[1], tzinfo=WIB)
    assert quiet_until(NIGHT, moment.astimezone(UTC), WIB) == wanted


def test_they_are_the_founders_own_hours() -> None:
    nine = datetime(2026, 4, 1, 21, 30, tzinfo=WIB)
    assert quiet_until(NIGHT, nine, ZoneInfo("Europe/London")) is None
    noon = msgspec.structs.replace(NIGHT, quiet_from=time(12), quiet_to=time(13))
    assert quiet_until(noon, datetime(2026, 4, 1, 12, 30, tzinfo=WIB), WIB) == datetime(2026, 4, 1, 13, tzinfo=WIB)
    assert quiet_until(msgspec.structs.replace(NIGHT, quiet_to=None), nine, WIB) is None
    assert quiet_until(msgspec.structs.replace(NIGHT, quiet_to=time(21)), nine, WIB) is None


def test_what_must_be_decided_before_the_morning_rings() -> None:
    late, morning = datetime(2026, 4, 1, 23, tzinfo=WIB), datetime(2026, 4, 2, 7, tzinfo=WIB)
    assert held_back(NIGHT, late, WIB, morning - timedelta(minutes=1)) is None
    assert held_back(NIGHT, late, WIB, morning + timedelta(minutes=1)) == morning
    deaf = msgspec.structs.replace(NIGHT, quiet_urgent=False)
    assert held_back(deaf, late, WIB, morning - timedelta(minutes=1)) == morning


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture
async def office(database: Database, tmp_path: Path, service: PushService) -> AsyncIterator[Office]:
    settings = Settings(home=tmp_path, public_url="https://console.example", push_allow_hosts=(service.address,))
    ensure_console_keys(settings.keys)
    sender: PushSender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    made = Office(database, settings, sender, service)
    await made.found()
    await made.subscribe()
    yield made
    await sender.close()


async def rest(office: Office, *, urgent: bool = True) -> None:
    """Quiet hours around this very moment, wherever the clock stands."""
    here = datetime.now(UTC)
    wanted = Preferences(
        "id",
        "auto",
        False,
        time_zone="UTC",
        quiet_from=(here - timedelta(hours=2)).time().replace(microsecond=0),
        quiet_to=(here + timedelta(hours=2)).time().replace(microsecond=0),
        quiet_urgent=urgent,
    )
    async with office.database.transaction(office.tenant) as tx:
        await update_preferences(tx, office.founder.id, wanted)


async def test_what_came_in_quiet_hours_is_summed_up_once_at_their_end(office: Office) -> None:
    await rest(office)
    asked = [await office.ask(in_seconds=86_400, act_digest=f"{number:064d}") for number in range(3)]
    for one in asked:
        await office.ring(one)
    assert office.service.received == []
    async with office.database.transaction(office.tenant) as tx:
        found = await tx.connection.fetch(
            "SELECT extract(epoch FROM execute_after - now())::int AS wait FROM work_queue.pgqueuer "
            "WHERE entrypoint = 'quiet_over'"
        )
        await decide(tx, asked[0].id, "reject", by=office.by, signer=APPROVALS, proof=None)
    assert [round(row["wait"] / 600) for row in found] == [12]
    for _ in range(2):
        await office.handlers["quiet_over"](QuietOver(office.tenant, office.founder.id))
    [got] = office.service.received
    assert got["json"]["notification"]["title"] == "2 keputusan datang saat jam tenang"
    assert got["json"]["notification"]["navigate"] == "https://console.example/approvals"


async def test_a_single_one_rings_as_itself_with_its_buttons(office: Office) -> None:
    await rest(office)
    asked = await office.ask(in_seconds=86_400)
    await office.ring(asked)
    await office.handlers["quiet_over"](QuietOver(office.tenant, office.founder.id))
    [got] = office.service.received
    assert got["json"]["notification"]["tag"] == f"ap-{asked.id}"


async def test_an_urgent_one_gets_through_where_the_founder_lets_it(office: Office) -> None:
    await rest(office)
    await office.ring(await office.ask(in_seconds=600))
    assert len(office.service.received) == 1
    await rest(office, urgent=False)
    await office.ring(await office.ask(in_seconds=600, act_digest="1" * 64))
    assert len(office.service.received) == 1
