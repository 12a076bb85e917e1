"""Accounts, wallets and telephone numbers: told from amounts, dates and counts by how people write about them."""

import re
import unicodedata
from collections.abc import Iterator

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_DATE = re.compile(
    r"(?<![0-9])(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})(?![0-9])"
)
_CLOCK = re.compile(r"(?<![0-9])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[+-][0-9]{2}:?[0-9]{2})?(?![0-9])")
_DIGITS = re.compile(r"(?<![^\W_])(?<![0-9][.,])[0-9]+(?:[-. ][0-9]{2,})*(?![^\W_])")
_BLOCK = re.compile(r"[^ ]+")
_PHONE = re.compile(r"(?<![^\W_])\+[1-9][0-9]{0,2}[ -]?(?:\([0-9]+\)[ -]?)?[0-9](?:[ -]?[0-9]){6,12}(?![^\W_])")
_CALLED = re.compile(r"(?<![\w.,/+-])\(?[0-9]{2,6}\)?(?:[ .-]?[0-9]{2,5}){1,5}(?!\w)(?![-./,][0-9])")
_LOCAL_PHONE = re.compile(r"(?<![\w.,/+-])0[1-9][0-9]{1,2}(?:[ .-]?[0-9]{2,5}){1,4}(?![\w])(?![-./,][0-9])")
_CALL_WORD = re.compile(
    r"\b(?:call|phone|tel|telp|telepon|telephone|hp|wa|whatsapp|sms|hubungi|kontak|contact|hotline|fax|"
    r"faks|mobile|dial)\b",
    re.IGNORECASE,
)
_CALL_RIGHT_BEFORE = re.compile(
    r"\b(?:call|phone|tel|telp|telepon|telephone|hp|wa|whatsapp|sms|hubungi|kontak|contact|hotline|fax|"
    r"faks|mobile|dial)"
    r"(?:\W{1,3}(?:us|me|kami|saya|on|at|to|ke|di|no|nomor|number|admin|cs|our|the|your|office|kantor|"
    r"line|via|lewat)\b)"
    r"{0,4}\W{0,4}$",
    re.IGNORECASE,
)
_INLINE_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|span|font|small|big|code|a|sup|sub|mark|wbr)\b[^<>\n]{0,200}>", re.IGNORECASE
)
_EMPHASIS = re.compile(r"(?<=\w)[*~`]{1,3}(?=\w)|\*\*|~~")
_JOINED = re.compile(r"(?<![\w.,])[0-9]+([^\w\n,|]{1,3})[0-9]+(?:\1[0-9]+){1,23}(?!\w)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")
_MISSPELT = re.compile(r"(?<!\w)(?=[0-9OoIlSB]{0,22}[OoIlSB])[0-9OoIlSB]{7,24}(?!\w)")
_LETTERED = re.compile(r"(?<!\w)[A-Za-z]{1,4}[0-9][0-9A-Za-z -]{7,30}(?!\w)")
_NUMBER_FOLLOWS = re.compile(
    r"\b(?:nmid|qris|rekening|norek|rek|account|acct|iban|va|virtual account|wallet|dompet|merchant id|mid)"
    r"(?:\W{1,3}(?:no|nomor|number|id|is|adalah)\b)?\W{0,4}$",
    re.IGNORECASE,
)
_HOLDER_AFTER = re.compile(r"^[\s,(]{0,3}(?:a\.?/?n\b|atas nama\b|in the name of\b)", re.IGNORECASE)
_APART = re.compile(r"(?<![\w.,])[0-9](?: [0-9]){6,23}(?![\w])|(?<![\w/])[0-9]{2,}(?:[/_][0-9]{2,}){1,6}(?![\w/])")
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}(?![^\W_])", re.IGNORECASE)
_WALLET = re.compile(
    r"(?<!\w)(?:0x[0-9a-fA-F]{40}|bc1[0-9a-z]{25,60}|"
    r"(?=\w*[0-9])(?=\w*[A-Z])(?=\w*[a-z])[13][1-9A-HJ-NP-Za-km-z]{25,34})(?!\w)"
)
_ACCOUNT_WORD = re.compile(
    r"(?:rekening|norek|\bacc\b|\btrf\b|no\.? ?rek|rek\.|account|acct|a/c|iban|virtual|\bva\b|bank|bca|"
    r"bri|bni|btn|mandiri|cimb|"
    r"permata|danamon|gopay|ovo|dana|shopeepay|paypal|swift|bic|transfer|kartu|card|wallet|dompet|linkaja|gcash|alipay|"
    r"\b(?:bsi|jenius|jago|seabank|qris|nmid|revolut|venmo|zelle|paynow|promptpay|pix|upi|sort code|"
    r"routing|ifsc|clabe|bsb|"
    r"top ?up|isi saldo|payout|beneficiary)\b)",
    re.IGNORECASE,
)
_PAYMENT_WORD = re.compile(
    r"\b(?:pay|paid|uang|money|refund|lunas|pelunasan|cicilan|angsuran|donasi|donation|setoran|acc\b|"
    r"trf\b|tf\b|bayar|dibayar|pembayaran|transfer|setor|remit|deposit|rekening|norek|rek|account|acct|"
    r"a/c|bank|iban|"
    r"swift|bic|invoice|faktur|tagihan|wallet|dompet|va|kartu|card|bca|bri|bni|btn|mandiri|cimb|permata|danamon|gopay|"
    r"ovo|dana|shopeepay|paypal|linkaja|gcash|alipay|bsi\b|jenius|seabank|qris|nmid|revolut|venmo|zelle|"
    r"paynow|promptpay|"
    r"pix\b|upi\b|sort code|routing|ifsc|clabe|bsb\b|top ?up|isi saldo|payout|beneficiary|atas nama|a\.?/?n\.)",
    re.IGNORECASE,
)
_AMOUNT_WORD = re.compile(
    r"\b(?:total|jumlah|sum|saldo|balance|nilai|amount|harga|price|omzet|pendapatan|revenue|pengeluaran|"
    r"selisih|laba|rugi|"
    r"profit|kredit|debit|rata-rata|mean|average)\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\b(?:orders?|pesanan|invoices?|faktur|tagihan|resi|tracking|parcel|serial|ticket|tiket|sku|ean|barcode|customer|"
    r"pelanggan|nik|npwp|po|nota|kuitansi|receipt|ref|reference|referensi|transaksi|trx|booking|imei|"
    r"batch|lot|item|and|dan|or)"
    r"(?:\W{1,3}(?:no|nr|nomor|number|id|kode|code)\b)?\W{0,4}$",
    re.IGNORECASE,
)
_CURRENCY_BEFORE = re.compile(r"(?:\b(?:rp|idr|usd|eur|sgd|myr|jpy|gbp|aud|cny)\.? ?|[$€£¥] ?)-?$", re.IGNORECASE)
_CURRENCY_AFTER = re.compile(r"^ ?(?:rp|idr|usd|eur|sgd|myr|jpy|gbp|aud|cny|[$€£¥])\b", re.IGNORECASE)


def accounts_in(text: str) -> Iterator[str]:
    """IBANs, wallets and phone numbers anywhere; other long numbers where the text speaks of paying at all."""
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        if match.re is _IBAN and not is_iban(match[0]):
            return match[0]
        found.append(match[0])
        return "\n"

    text = _EMPHASIS.sub("", _INLINE_TAG.sub("", text))
    rest = _PHONE.sub(take, _WALLET.sub(take, _IBAN.sub(take, text)))
    yield from found
    for pattern in (_UUID, _DATE, _CLOCK):
        rest = pattern.sub("\n", rest)
    yield from _local_phones(rest)
    if _PAYMENT_WORD.search(text) is None:
        return
    yield from _disguised(rest)
    for start, end in _spans(rest):
        if end - start >= 6 and _looks_like_account(rest[start:end], _line_before(rest, start), rest[end : end + 16]):
            yield rest[start:end]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers stand; groups with blanks are one number when no other sign divides them: `2026-00412 310.000`
    are two."""
    for match in _DIGITS.finditer(text):
        if " " in match[0] and re.search("[-.]", match[0]):
            yield from ((match.start() + one.start(), match.start() + one.end()) for one in _BLOCK.finditer(match[0]))
        else:
            yield match.span()


def _line_before(text: str, position: int) -> str:
    return text[max(0, position - 40) : position].rpartition("\n")[2]


def _count(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _local_phones(text: str) -> Iterator[str]:
    """Numbers with a leading zero: mobile ones as Indonesia writes them, others where the text says to call; any
    number right after a word for calling."""
    for match in _LOCAL_PHONE.finditer(text):
        count = _count(match[0])
        if not 9 <= count <= 13:
            continue
        if (match[0].startswith("08") and count >= 10) or _CALL_WORD.search(_line_before(text, match.start())):
            yield match[0]
    for match in _CALLED.finditer(text) if _CALL_WORD.search(text) else ():
        if 8 <= _count(match[0]) <= 16 and _CALL_RIGHT_BEFORE.search(_line_before(text, match.start())):
            yield match[0]


def _disguised(text: str) -> Iterator[str]:
    """Accounts near a word for one: a sign between all digits, letters for digits, letters before digits."""
    for pattern in (_APART, _JOINED):
        for match in pattern.finditer(text):
            before = _line_before(text, match.start())
            plainly = pattern is _JOINED and (_DIGITS.fullmatch(match[0]) or _THOUSANDS.fullmatch(match[0]))
            if (
                not plainly
                and 7 <= _count(match[0]) <= 24
                and _last(_ACCOUNT_WORD, before) > _last(_AMOUNT_WORD, before)
            ):
                yield match[0]
    for pattern, least in ((_MISSPELT, 5), (_LETTERED, 8)):
        for match in pattern.finditer(text):
            if _count(match[0]) >= least and _NUMBER_FOLLOWS.search(_line_before(text, match.start())):
                yield match[0].strip(" -")


def _looks_like_account(digits: str, before: str, after: str) -> bool:
    count = _count(digits)
    if not 6 <= count <= 24 or _CURRENCY_BEFORE.search(before) or _CURRENCY_AFTER.search(after):
        return False
    if _HOLDER_AFTER.search(after):
        return True
    account, amount = _last(_ACCOUNT_WORD, before), _last(_AMOUNT_WORD, before)
    if amount > account:
        return False
    if _THOUSANDS.fullmatch(digits) or re.fullmatch(r"(?:0|[1-9][0-9]*)\.[0-9]+", digits):
        return False
    return account >= 0 or (count >= 10 and _one_number(digits) and _REFERENCE.search(before) is None)


def _last(words: re.Pattern[str], before: str) -> int:
    """Where the nearest of these words before a number begins; -1 when none is near."""
    return max((match.start() for match in words.finditer(before)), default=-1)


def _one_number(digits: str) -> bool:
    """Groups as people write accounts: no blanks, or at most three groups, or groups of four."""
    groups = re.split(r"[-. ]", digits)
    if " " not in digits:
        return True
    return all(len(group) == 4 for group in groups[:-1]) or (len(groups) <= 3 and min(map(len, groups)) >= 3)


def is_wallet(value: str) -> bool:
    """An address of a coin, by its form."""
    return _WALLET.fullmatch(value) is not None


def is_iban(value: str) -> bool:
    """ISO 13616: the check digits fit."""
    text = compact(value)
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def compact(value: str) -> str:
    """An account without its blanks, dashes and dots, in capitals."""
    return re.sub(r"[\s.\-]", "", unicodedata.normalize("NFKC", value)).upper()
