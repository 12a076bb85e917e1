"""A thread for a framework that blocks: its own, so that waiting runs never starve the loop's shared pool."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


class Passing(BaseException):
    """Carries an exception of ours through a framework that would show it to the model as a tool error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(repr(error))
        self.error = error


async def in_own_thread(name: str, function: Callable[[], T]) -> T:
    """The value of `function()`, run in a fresh thread; whatever it raises is raised here, `Passing` unpacked."""
    executor = ThreadPoolExecutor(1, thread_name_prefix=name)
    context = copy_context()
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, context.run, function)
    except Passing as passing:
        raise passing.error from None
    finally:
        executor.shutdown(wait=False)
