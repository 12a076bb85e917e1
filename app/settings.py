"""Typed environment, read once by composition and passed down."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

DEFAULT_PORT = 8400
LEAST_JOURNAL_DAYS = 32  # sums over a month read what was asked


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of one process. Environment names are in `docs/settings.md`.

    `home` holds keys, the embedded database and evidence. `evidence_url` is `file:` or `s3:`; the evidence keys are the
    bucket's, None where the usual AWS_* variables hold them.
    `timestamp_certificates` is a PEM file; `witnesses` are `vkey url`, separated by commas.
    `undo_seconds` is how long the server keeps an approval revocable before it acts; `run_minutes` how long the work on
    one ticket may take at most; after `part_steps` steps or `part_bytes` bytes of journal a next part of it goes on;
    `journal_days` after a run has closed its journal loses its bodies (0: never).
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database_url: str | None = None
    evidence_url: str | None = None
    evidence_access_key: str | None = None
    evidence_secret_key: str | None = None
    model_base_url: str | None = None
    model_api_key: str | None = None
    model_name: str = "scripted"
    model_fallback: str | None = None
    model_api: str = "chat"
    model_prices: str = ""
    model_first_token_seconds: int = 90
    model_total_seconds: int = 600
    timestamp_url: str | None = None
    timestamp_certificates: Path | None = None
    timestamp_every_seconds: int = 600
    witnesses: str | None = None
    public_url: str | None = None
    smtp_url: str | None = None
    mail_from: str = "worker@localhost"
    telegram_token: str | None = None
    telegram_url: str | None = None
    telegram_updates: str = "poll"
    http_allow_private: tuple[str, ...] = ()
    push_allow_hosts: tuple[str, ...] = ()
    backbone: str = "langgraph"
    router: str = "openai_agents"
    worker: str = "smolagents"
    undo_seconds: int = 10
    run_minutes: int = 720
    part_steps: int = 200
    part_bytes: int = 8_000_000
    journal_days: int = 400
    max_merge_delay_seconds: int = 5

    @property
    def origin(self) -> str:
        """Where a browser reaches the console: `scheme://host[:port]`, no trailing slash."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def keys(self) -> Path:
        return self.home / "keys"


class InvalidSetting(ValueError):
    """An environment value cannot be used; the message names it and says what would do."""


def _integer(environment: Mapping[str, str], name: str, default: int) -> int:
    raw = environment.get(name, "").strip()
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError:
        raise InvalidSetting(f"{name}={raw!r} is not a whole number") from None


def _seconds(environment: Mapping[str, str], name: str, default: int) -> int:
    seconds = _integer(environment, name, default)
    if seconds < 1:
        raise InvalidSetting(f"{name}={seconds} is not a time: give seconds, at least 1")
    return seconds


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    count = _integer(environment, name, default)
    if count < 1:
        raise InvalidSetting(f"{name}={count} is no bound: give at least 1")
    return count


def _days(environment: Mapping[str, str], name: str, default: int) -> int:
    days = _integer(environment, name, default)
    if days != 0 and days < LEAST_JOURNAL_DAYS:
        raise InvalidSetting(f"{name}={days} is too short: give at least {LEAST_JOURNAL_DAYS} days, or 0 to keep all")
    return days


def _one_of(environment: Mapping[str, str], name: str, *allowed: str) -> str:
    """The first is the default."""
    given = environment.get(name, "").strip() or allowed[0]
    if given not in allowed:
        raise InvalidSetting(f"{name}={given!r} is not known: choose {' or '.join(allowed)}")
    return given


def _telegram_updates(environment: Mapping[str, str]) -> str:
    given = _one_of(environment, "FLR_TELEGRAM_UPDATES", "poll", "webhook")
    if given == "webhook" and not environment.get("FLR_PUBLIC_URL", "").strip().startswith("https://"):
        raise InvalidSetting("FLR_TELEGRAM_UPDATES=webhook needs an https FLR_PUBLIC_URL that Telegram reaches")
    return given


def _port(environment: Mapping[str, str]) -> int:
    port = _integer(environment, "FLR_PORT", DEFAULT_PORT)
    if not 0 <= port <= 65535:
        raise InvalidSetting(f"FLR_PORT={port} is not a port: choose 1 to 65535")
    return port


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    raw = environment.get(name, "").strip()
    return Path(raw).expanduser().absolute() if raw else None


def _words(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environment.get(name, "").split(",") if word.strip())


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. Raises `InvalidSetting` with a sentence for a human."""
    env = os.environ if environment is None else environment
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}

    def text(name: str, field: str) -> str:
        return env.get(name, "").strip() or str(defaults[field])

    def optional(name: str) -> str | None:
        return env.get(name, "").strip() or None

    return Settings(
        home=Path(env.get("FLR_HOME", "").strip() or ".flr").expanduser().absolute(),
        host=text("FLR_HOST", "host"),
        port=_port(env),
        database_url=optional("DATABASE_URL"),
        evidence_url=optional("FLR_EVIDENCE_URL"),
        evidence_access_key=optional("FLR_EVIDENCE_ACCESS_KEY"),
        evidence_secret_key=optional("FLR_EVIDENCE_SECRET_KEY"),
        model_base_url=optional("FLR_MODEL_BASE_URL"),
        model_api_key=optional("FLR_MODEL_API_KEY"),
        model_name=text("FLR_MODEL", "model_name"),
        model_fallback=optional("FLR_MODEL_FALLBACK"),
        model_api=_one_of(env, "FLR_MODEL_API", "chat", "responses"),
        model_prices=text("FLR_MODEL_PRICES", "model_prices"),
        model_first_token_seconds=_seconds(env, "FLR_MODEL_FIRST_TOKEN_SECONDS", 90),
        model_total_seconds=_seconds(env, "FLR_MODEL_TOTAL_SECONDS", 600),
        timestamp_url=optional("FLR_TIMESTAMP_URL"),
        timestamp_certificates=_path(env, "FLR_TIMESTAMP_CERTIFICATES"),
        timestamp_every_seconds=_integer(env, "FLR_TIMESTAMP_SECONDS", 600),
        witnesses=optional("FLR_WITNESSES"),
        public_url=optional("FLR_PUBLIC_URL"),
        smtp_url=optional("FLR_SMTP_URL"),
        mail_from=text("FLR_MAIL_FROM", "mail_from"),
        telegram_token=optional("FLR_TELEGRAM_TOKEN"),
        telegram_url=optional("FLR_TELEGRAM_URL"),
        telegram_updates=_telegram_updates(env),
        http_allow_private=_words(env, "FLR_HTTP_ALLOW_PRIVATE"),
        push_allow_hosts=_words(env, "FLR_PUSH_ALLOW_HOSTS"),
        backbone=text("FLR_BACKBONE", "backbone"),
        router=text("FLR_ROUTER", "router"),
        worker=text("FLR_WORKER", "worker"),
        undo_seconds=_integer(env, "FLR_UNDO_SECONDS", 10),
        run_minutes=_integer(env, "FLR_RUN_MINUTES", 720),
        part_steps=_count(env, "FLR_RUN_PART_STEPS", 200),
        part_bytes=_count(env, "FLR_RUN_PART_BYTES", 8_000_000),
        journal_days=_days(env, "FLR_JOURNAL_DAYS", 400),
        max_merge_delay_seconds=_integer(env, "FLR_MAX_MERGE_DELAY_SECONDS", 5),
    )
