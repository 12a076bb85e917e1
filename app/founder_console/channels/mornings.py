"""When a founder's brief comes by itself. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.founder_console.channels.quiet import quiet_until
from app.founder_console.model import Founder

LATEST = timedelta(hours=6)


def brief_moment(founder: Founder, day: date, zone: ZoneInfo) -> datetime | None:
    """When the brief of that local day comes: never in quiet hours, but at their end; None on a day without one."""
    if founder.brief_at is None or day.isoweekday() not in founder.brief_days:
        return None
    at = datetime.combine(day, founder.brief_at, zone)
    return quiet_until(founder, at, zone) or at


def due_day(founder: Founder, now: datetime, zone: ZoneInfo) -> date | None:
    """The local day whose brief is to be told now; None for one that was told, or that nobody told for hours.

    A brief of the evening before may wait for the end of a night's quiet hours.
    """
    return next((day for day, at in _to_come(founder, now, zone, days=2) if at <= now < at + LATEST), None)


def next_moment(founder: Founder, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When to look again: the next brief that is still to come; None where there is none."""
    return min((at for _, at in _to_come(founder, now, zone, days=10) if at > now), default=None)


def _to_come(founder: Founder, now: datetime, zone: ZoneInfo, *, days: int) -> Iterator[tuple[date, datetime]]:
    """The days from yesterday on that were not told of, with the moment of each."""
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    for ahead in range(days):
        day = yesterday + timedelta(days=ahead)
        at = brief_moment(founder, day, zone)
        if at is not None and (founder.brief_told_on is None or founder.brief_told_on < day):
            yield day, at


def begins(founder: Founder, day: date, zone: ZoneInfo) -> datetime:
    """From when on a day's brief tells: since the brief before it, over a weekend too, but of four days at most."""
    for back in range(1, 4):
        before = day - timedelta(days=back)
        if before.isoweekday() in founder.brief_days:
            return datetime.combine(before, founder.brief_at or time(7), zone)
    return datetime.combine(day - timedelta(days=4), founder.brief_at or time(7), zone)
