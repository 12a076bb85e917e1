"""Quiet hours: until when a founder is not to be rung, in the founder's own zone. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.founder_console.model import Founder


def zone_of(founder: Founder, company_zone: str) -> ZoneInfo:
    """Where the founder is: the zone of their own choice, else the company's."""
    return ZoneInfo(founder.time_zone or company_zone)


def quiet_until(founder: Founder, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that `now` lies in end; None outside of them. They may go over midnight."""
    start, end = founder.quiet_from, founder.quiet_to
    if start is None or end is None or start == end:
        return None
    here = now.astimezone(zone)
    at = here.time().replace(tzinfo=None)
    inside = start <= at < end if start < end else at >= start or at < end
    if not inside:
        return None
    day = here.date() if at < end else here.date() + timedelta(days=1)
    return datetime.combine(day, end, zone)


def held_back(founder: Founder, now: datetime, zone: ZoneInfo, expires_at: datetime) -> datetime | None:
    """When to ring instead for a question that expires then; None for at once."""
    until = quiet_until(founder, now, zone)
    urgent = founder.quiet_urgent and until is not None and expires_at <= until
    return None if urgent else until
