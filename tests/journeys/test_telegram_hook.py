"""The bot by webhook: the API has what people write posted to it, believes nobody without the secret, and an API that
listens instead takes the webhook back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.founding import found_company
from app.database_urls import app_url
from app.founder_console.channels.channel_store import fetch_chats
from app.founder_console.desk import pairing_code
from app.postgres import Database
from app.settings import InvalidSetting, read
from tests.databases import Cluster
from tests.founder_console.bot_server import TOKEN, BotServer, bot_server
from tests.processes import Machine, machine, wait_until

pytestmark = pytest.mark.timeout(240)

HEADER = "X-Telegram-Bot-Api-Secret-Token"
ENVIRONMENT = {
    "FLR_TELEGRAM_TOKEN": TOKEN,
    "FLR_TELEGRAM_UPDATES": "webhook",
    "FLR_PUBLIC_URL": "https://console.example",
}


@pytest.fixture
def bot() -> Iterator[BotServer]:
    with bot_server() as made:
        yield made


@pytest.fixture
def served(cluster: Cluster, tmp_path: Path, bot: BotServer) -> Iterator[Machine]:
    name = cluster.take().result()
    tmp_path.chmod(0o700)
    with machine(tmp_path, cluster.url(None, name), FLR_TELEGRAM_URL=bot.url, **ENVIRONMENT) as made:
        yield made
    cluster.give_back(name)


def post(served: Machine, body: bytes, secret: str) -> int:
    return httpx.post(f"{served.url}/hooks/telegram", content=body, headers={HEADER: secret}, timeout=20).status_code


def test_what_is_written_is_posted_and_believed_with_the_secret_alone(served: Machine, bot: BotServer) -> None:
    founded = asyncio.run(found_company(served.settings, name="Kopi Senja", founder="Dewi", language="id"))

    async def code() -> str:
        database = Database(app_url(served.settings), max_size=2)
        async with database, database.transaction(founded.tenant) as tx:
            return await pairing_code(tx, founded.founder)

    async def paired() -> int:
        database = Database(app_url(served.settings), max_size=2)
        async with database, database.transaction(founded.tenant) as tx:
            return len(await fetch_chats(tx))

    served.start("api", "app.cli", "api")
    wait_until(served.ready, seconds=120, said=served.said("api"))
    hooked = wait_until(lambda: bot.hooked, said="the messenger was told our address")
    assert hooked["url"] == "https://console.example/hooks/telegram"
    assert hooked["allowed_updates"] == ["message", "callback_query"]
    bot.write(f"/start {asyncio.run(code())}")
    update = bot.newest_update()
    assert [post(served, update, secret) for secret in ("", "guessed")] == [401, 401]
    assert asyncio.run(paired()) == 0
    assert post(served, update, hooked["secret_token"]) == 200
    assert asyncio.run(paired()) == 1
    assert "milik Anda" in bot.newest["text"]
    assert post(served, update, hooked["secret_token"]) == 200, "what comes again is answered too"
    assert asyncio.run(paired()) == 1
    assert [post(served, body, hooked["secret_token"]) for body in (b"{", b"[]", b'{"update_id": 1}')] == [200] * 3

    served.kill("api")
    served.environment["FLR_TELEGRAM_UPDATES"] = "poll"
    served.start("api", "app.cli", "api")
    wait_until(lambda: bot.hooked is None, seconds=120, said="the webhook is taken back")
    assert post(served, update, hooked["secret_token"]) == 404


def test_a_webhook_without_a_public_address_is_refused_at_the_start() -> None:
    with pytest.raises(InvalidSetting, match="https FLR_PUBLIC_URL"):
        read(ENVIRONMENT | {"FLR_PUBLIC_URL": "http://localhost:8400"})
