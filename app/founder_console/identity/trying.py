"""How often somebody may fail to come in: counted by address, in this process, forgotten by itself."""

import time
from collections import OrderedDict, deque

from app.canon.errors import TooMany

MOST_FAILURES = 10
WINDOW_SECONDS = 600.0
MOST_ADDRESSES = 10_000


class TooManyTries(TooMany):
    """Too many failed attempts from one address; `data` says how long to wait."""

    code = "key.slow"

    def __init__(self, seconds: int) -> None:
        said = f"too many failed attempts from this address: try again in {seconds} seconds"
        super().__init__(said, retry_after_seconds=seconds, minutes=-(-seconds // 60))


class Failures:
    """Failed sign-ins of the last ten minutes, address by address. Whoever succeeds is forgotten."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises `TooManyTries`."""
        found, now = self._times.get(address), time.monotonic()
        while found and found[0] <= now - WINDOW_SECONDS:
            found.popleft()
        if found and len(found) >= MOST_FAILURES:
            raise TooManyTries(int(found[0] + WINDOW_SECONDS - now) + 1)

    def note(self, address: str) -> None:
        """One more failure."""
        self._times.setdefault(address, deque()).append(time.monotonic())
        self._times.move_to_end(address)
        while len(self._times) > MOST_ADDRESSES:
            self._times.popitem(last=False)

    def forget(self, address: str) -> None:
        self._times.pop(address, None)
