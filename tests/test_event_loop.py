"""Long-lived processes run on the loop that the tests run on."""

import asyncio

import uvloop

from app import event_loop


async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_a_process_runs_on_uvloop_and_gets_its_answer() -> None:
    assert isinstance(event_loop.run(_loop()), uvloop.Loop)


async def test_so_do_the_tests() -> None:
    assert isinstance(await _loop(), uvloop.Loop)
