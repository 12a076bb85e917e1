"""Money, sizes and instants as people write them, in the founder's language and the company's zone."""

from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from app.canon.amounts import NBSP, grouped, money_phrase, signed
from app.canon.vocabulary import Money
from app.canon.written import minor_digits
from app.founder_console.amounts import amount_text

Language: TypeAlias = Literal["id", "en"]
Day: TypeAlias = date

MONTHS: dict[Language, tuple[str, ...]] = {
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
DAYS: dict[Language, tuple[str, ...]] = {
    "id": ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
ZONES = {"Asia/Jakarta": "WIB", "Asia/Pontianak": "WIB", "Asia/Makassar": "WITA", "Asia/Jayapura": "WIT"}
STEPS: dict[Language, tuple[tuple[int, str], ...]] = {
    "id": ((10**12, f"{NBSP}T"), (10**9, f"{NBSP}M"), (10**6, f"{NBSP}jt"), (10**3, f"{NBSP}rb")),
    "en": ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")),
}
WORDS: dict[Language, dict[str, str]] = {
    "id": {
        "left": "sisa {}",
        "over": "lewat tenggat",
        "tomorrow": "besok {}",
        "yesterday": "kemarin {}",
        "h": "j",
        "m": "m",
        "d": "hari",
        "s": "dtk",
        "ms": "md",
        "now": "sekarang",
    },
    "en": {
        "left": "{} left",
        "over": "overdue",
        "tomorrow": "tomorrow {}",
        "yesterday": "yesterday {}",
        "h": "h",
        "m": "m",
        "d": "d",
        "s": "s",
        "ms": "ms",
        "now": "now",
    },
}


def exponent(currency: str) -> int:
    """How many decimals a currency is written with. A rupiah has none here."""
    return minor_digits(currency)


class Formats:
    """The formats of one page: one language, one zone, one present instant."""

    def __init__(self, language: Language, zone: ZoneInfo, now: datetime) -> None:
        self.language = language
        self.zone = zone
        self.now = now.astimezone(zone)

    @property
    def zone_name(self) -> str:
        return ZONES.get(self.zone.key, self.now.tzname() or self.zone.key)

    def local(self, instant: datetime) -> datetime:
        """At the ends of the calendar, where no zone reaches, as it was given."""
        try:
            return instant.astimezone(self.zone)
        except OverflowError:
            return instant

    def number(self, value: int | str) -> str:
        return grouped(value, self.language)

    def money(self, amount: Money) -> str:
        """`Rp2.400.000` in Indonesian, `IDR 2,400,000` in English; negative with a minus sign."""
        return money_phrase(amount, self.language)

    def in_own(self, minor: int, currency: str) -> str:
        return self.money(Money(minor, currency))

    def money_short(self, amount: Money) -> str:
        """`Rp2,4 jt`, `IDR 2.4M`: for chips and notifications, never for what is signed."""
        whole = abs(amount.minor) / 10 ** exponent(amount.currency)
        for size, name in STEPS[self.language]:
            if whole >= size and (self.language == "id" or size > 1_000 or whole >= 10_000):
                return signed(amount, self._decimal(whole / size) + name, self.language)
        return self.money(amount)

    def amount_text(self, amount: Money) -> str:
        """As it is typed into a field that names the currency: `5.000.000`, `1.500,50`."""
        return amount_text(amount, self.language)

    def money_signed(self, amount: Money) -> str:
        return ("+" if amount.minor > 0 else "") + self.money(amount)

    def _decimal(self, value: float) -> str:
        text = f"{value:.1f}".removesuffix(".0")
        return text.replace(".", ",") if self.language == "id" else text

    def usd(self, micros: int) -> str:
        """Model spend: dollars with as many decimals as small amounts need."""
        places = 2 if micros == 0 or abs(micros) >= 1_000_000 else 4
        return f"US${self.number(f'{micros / 1_000_000:.{places}f}')}"

    def size(self, count: int) -> str:
        value, unit = float(count), "B"
        for larger in ("KB", "MB", "GB"):
            if value < 1_000:
                break
            value, unit = value / 1_000, larger
        return f"{self._decimal(value) if unit != 'B' else count}{NBSP}{unit}"

    def clock(self, instant: datetime) -> str:
        """`14.02` in Indonesian, `14:02` in English; 24 hours."""
        return self.local(instant).strftime("%H.%M" if self.language == "id" else "%H:%M")

    def date(self, instant: datetime) -> str:
        there = self.local(instant)
        text = f"{there.day}{NBSP}{MONTHS[self.language][there.month - 1]}"
        return text if there.year == self.now.year else f"{text} {there.year}"

    def day_of(self, on: Day) -> str:
        """A day that has no clock: `1 Nov`, `1 Nov 2025`."""
        return self.date(datetime(on.year, on.month, on.day, tzinfo=self.zone))

    def moment(self, instant: datetime) -> str:
        """An instant that was: the clock today, `yesterday 14:02`, then the date."""
        days = (self.now.date() - self.local(instant).date()).days
        if days == 0:
            return self.clock(instant)
        if days == 1:
            return WORDS[self.language]["yesterday"].format(self.clock(instant))
        return f"{self.date(instant)} {self.clock(instant)}"

    def ahead(self, instant: datetime) -> str:
        """An instant to come: the clock today, `tomorrow 14:02`, then the date."""
        days = (self.local(instant).date() - self.now.date()).days
        if days == 0:
            return self.clock(instant)
        if days == 1:
            return WORDS[self.language]["tomorrow"].format(self.clock(instant))
        return self.date(instant)

    def exactly(self, instant: datetime) -> str:
        there = self.local(instant)
        seconds = there.strftime("%H.%M.%S" if self.language == "id" else "%H:%M:%S")
        zone = ZONES.get(self.zone.key, there.tzname() or self.zone.key)
        return f"{there.day} {MONTHS[self.language][there.month - 1]} {there.year} {seconds} {zone}"

    def left(self, instant: datetime) -> str:
        """A deadline: `sisa 1 j 20 m` within the day, then `besok 09.00`, then the weekday."""
        words = WORDS[self.language]
        rest = instant - self.now
        if rest <= timedelta(0):
            return words["over"]
        there = self.local(instant)
        days = (there.date() - self.now.date()).days
        if rest < timedelta(hours=12) or days == 0:
            return words["left"].format(self.span(rest))
        if days == 1:
            return words["tomorrow"].format(self.clock(instant))
        if days < 7:
            return f"{DAYS[self.language][there.weekday()]} {self.clock(instant)}"
        return f"{self.date(instant)} {self.clock(instant)}"

    def seconds(self, count: int) -> str:
        """`40 dtk`, `3 m`, `1 j 20 m`."""
        if count < 60:
            return f"{count}{NBSP}{'dtk' if self.language == 'id' else 's'}"
        return self.span(timedelta(seconds=count))

    def span(self, rest: timedelta) -> str:
        """`1 j 20 m`, at least one minute."""
        hours, minutes = divmod(max(int(rest.total_seconds() // 60), 1), 60)
        words = WORDS[self.language]
        parts = [f"{hours}{NBSP}{words['h']}"] if hours else []
        if minutes or not hours:
            parts.append(f"{minutes}{NBSP}{words['m']}")
        return NBSP.join(parts)

    def span_of(self, seconds: int) -> str:
        """A length of time that somebody agreed to: `30 m`, `2 j`, `7 hr`."""
        days, rest = divmod(seconds, 86_400)
        return (
            f"{days}{NBSP}{WORDS[self.language]['d']}" if days and not rest else self.span(timedelta(seconds=seconds))
        )

    def took(self, time: timedelta) -> str:
        """How long something took: `240 md`, `3,2 dtk`, then minutes."""
        seconds, words = max(time.total_seconds(), 0), WORDS[self.language]
        if seconds < 1:
            return f"{round(seconds * 1000)}{NBSP}{words['ms']}"
        return f"{self._decimal(seconds)}{NBSP}{words['s']}" if seconds < 60 else self.span(time)
