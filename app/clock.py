"""The only source of "now" in Python. SQL asks `clock.now()`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, UTC."""
    return datetime.now(UTC)
