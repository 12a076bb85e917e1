"""Keys, passwords and one-time codes in what would leave, by their names and by their looks."""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence

from app.canon.accounts import is_wallet
from app.canon.appearance import loosened, with_digits
from app.canon.encodings import decoded_in
from app.canon.facts import Fact
from app.canon.provenance import Reading
from app.canon.values import plain, shown

_NAMES = (
    r"(?:pass ?word|passwd|pass ?phrase|passcode|pwd|kata sandi|sandi|api[_ -]?key|apikey|"
    r"secret[_ -]?(?:access[_ -]?)?key|"
    r"(?:client|app|shared|signing|webhook)[_ -]?secret|(?:access|auth|refresh|session|bot|bearer|id)[_ -]?token|"
    r"(?:access|private|account|encryption|signing|shared[_ -]?access|license|service)[_ -]?key|secret[_ -]?token)"
)


def _form(hints: str, *alternatives: str) -> tuple[tuple[str, ...], re.Pattern[str]]:
    """What keys of one kind look like. Without one of `hints` in the text there is none: that is quicker to see."""
    return tuple(hints.split()), re.compile("|".join(alternatives), re.IGNORECASE)


_FORMS = (
    _form("-----begin", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"),
    _form("putty-user-key age-secret-key", r"PuTTY-User-Key-File|AGE-SECRET-KEY-1"),
    _form("akia asia", r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b"),
    _form("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"),
    _form("sk- glpat-", r"\bsk-[A-Za-z0-9_-]{20,}|\bglpat-[\w-]{20,}"),
    _form("xox aiza ya29.", r"\bxox[abposr]-[A-Za-z0-9-]{10,}|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}"),
    _form("npm_ hf_ sg. whsec_", r"\b(?:npm|hf)_[A-Za-z0-9]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bwhsec_[\w+/=-]{20,}"),
    _form("xnd_ mid-server-", r"\bxnd_[a-z]{3,12}_[A-Za-z0-9]{16,}|\bMid-server-[\w-]{12,}"),
    _form("eyj", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    _form("k_live_ k_test_", r"\b[srp]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _form(
        "bearer authorization",
        r"\bbearer\s+[A-Za-z0-9._~+/-]{20,}",
        r"\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token|digest)?\s*\S{8,}",
    ),
    _form(
        "cookie sess sid",
        r"\bcookie\s*:\s*[^\s=]+=\S{6,}|\b(?:session|sess|sid|phpsessid|jsessionid)[\w-]{0,12}=[A-Za-z0-9%._-]{10,}",
    ),
    _form("://", r"[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,64}:[^\s/@]{3,128}@"),
    _form(
        "pass pwd sandi key secret token",
        rf"{_NAMES}[\w-]{{0,20}}[\"']?\s*(?::=|=>|[:=])\s*[\"']?[^\s\"']{{5,}}",
        rf"{_NAMES}[\"']?\s+(?:is|was|adalah|ialah|yaitu|nya)\s+[\"']?(?=[^\s\"']*[0-9!@#$%^&*_])[^\s\"']{{5,}}",
        r"(?<![^\W_])(?:secret|pass|token)[\"']?\s*[:=]\s*[\"']?(?=[^\s\"']*[0-9])[^\s\"']{6,}",
    ),
    _form(
        "otp time code kode passcode listrik",
        r"\b(?:otp|one[- ]time (?:code|password|pin)|(?:verification|security|login|access|authentication|sign-in|2fa)"
        r"[ -](?:code|pin)|kode (?:verifikasi|otp|keamanan|akses|masuk|login|rahasia)|passcode|token listrik)\b"
        r"[^\n0-9]{0,24}"
        r"(?:[0-9][ -]?){4,10}\b",
        r"\b[0-9]{4,8}\W{1,3}(?:is|adalah|ialah|merupakan) (?:your|the|our|kode|my)\b[^\n]{0,24}"
        r"\b(?:code|kode|otp|pin|password)",
        r"\b[0-9]{4,8} (?:is|adalah) kode\b",
    ),
    _form("pin cvv cvc", r"\b(?:pin|cvv|cvc|cvv2)\b[^\n0-9]{0,12}[0-9]{3,8}\b"),
    _form(
        "seed recovery mnemonic backup frasa",
        r"\b(?:seed|recovery|mnemonic|backup|frasa) ?(?:phrase|words|pemulihan|rahasia|kata)?\W{1,4}"
        r"(?:[a-z]{3,8}[ ,]+){11}[a-z]{3,8}",
    ),
)
_TOKEN = re.compile(r"(?<![\w/+.=%?&#@:-])[A-Za-z0-9+/_-]{20,200}={0,2}(?![\w/+.=@:-])")
_LEAST_RUNS = 3


def credential_facts(texts: Iterable[tuple[str, str]], readings: Sequence[Reading], given: Sequence[str]) -> list[Fact]:
    """Keys, tokens and passwords in outward text that the founder did not write: plain, encoded or backwards; with the
    answer in which they were first read."""
    facts: list[Fact] = []
    for path, text in texts:
        found = next((key for key in _keys(text) if not _written_by_founder(key, given)), None)
        if found is not None:
            source = next((one for one in readings if plain(found) in plain(loosened(one.text))), None)
            step, tool = (source.step, source.tool) if source else (None, "")
            facts.append(Fact("credential", path, shown(found[:8] + "…"), "", step, tool))
    return facts


def _keys(text: str) -> Iterator[str]:
    """Each key as it is read; looked for in the text, in what it encodes, backwards and in rotated letters."""
    shown_text = with_digits(loosened(text))
    for body in (shown_text, *decoded_in(text), shown_text[::-1], codecs.encode(shown_text, "rot13")):
        small = body.lower()
        for hints, form in _FORMS:
            if any(hint in small for hint in hints):
                yield from (match[0] for match in form.finditer(body))
    yield from (match[0] for match in _TOKEN.finditer(shown_text) if _looks_random(match[0]))


def _looks_random(token: str) -> bool:
    """Capitals, small letters and several runs of digits, mixed as no word and no number is."""
    runs = len(re.findall("[0-9]+", token))
    if is_wallet(token):
        return False
    return runs >= _LEAST_RUNS and token != token.lower() and token != token.upper() and not _is_name(token)


def _is_name(token: str) -> bool:
    """Words with dates and numbers between dashes, as files and orders are named."""
    return all(
        part.isdigit() or part.isalpha() or re.fullmatch(r"[A-Za-z]{1,12}[0-9]{1,8}", part) is not None
        for part in re.split(r"[-_/+]", token.rstrip("="))
        if part
    )


def _written_by_founder(key: str, given: Sequence[str]) -> bool:
    """He wrote the key, or what reads as the same key in the same disguise."""
    return any(plain(key) in plain(text) for text in given) or any(key in _keys(text) for text in given)
