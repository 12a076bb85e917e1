"""The words the rules know, English and Indonesian."""

import re
from collections.abc import Iterable

WORD = re.compile(r"[^\W_]+")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
LINK = re.compile(r"https?://[^\s<>\"')]+")


def word_set(words: str) -> frozenset[str]:
    """The words between spaces."""
    return frozenset(words.split())


NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "one satu",
            "two dua",
            "three tiga",
            "four empat",
            "five lima",
            "six enam",
            "seven tujuh",
            "eight delapan",
            "nine sembilan",
            "ten sepuluh",
            "eleven sebelas",
            "twelve duabelas",
        ),
        start=1,
    )
    for word in words.split()
}
MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "january januari jan",
            "february februari feb",
            "march maret",
            "april",
            "may mei",
            "june juni",
            "july juli",
            "august agustus",
            "september",
            "october oktober",
            "november",
            "december desember",
        ),
        start=1,
    )
    for word in words.split()
}
_INDONESIAN = word_set(
    "yang dan untuk dengan dari pada ini itu ke di akan atau juga semua kami anda tolong mohon harap buat "
    "buatkan kirim kirimkan laporan hitung cari terlampir lampiran berikut setiap tiap dalam bulan tidak "
    "sudah belum terima kasih selamat pagi siang bapak ibu bayar tagihan"
)
_ENGLISH = word_set(
    "the and for with from this that to in of will or also all we you please make send report find "
    "attached each month not dear thank thanks regards pay invoice is are by"
)
_CONCEPTS = {
    word: concept
    for concept, words in {
        "delay": "keterlambatan terlambat telat late",
        "arr": "arrival arrivals kedatangan tiba arrived",
        "dep": "departure departures keberangkatan berangkat departed",
        "carrier": "carriers airline airlines maskapai",
        "month": "months bulan bulanan",
        "year": "years tahun",
        "day": "days hari",
        "distance": "jarak",
        "price": "prices harga",
        "item": "items barang produk product products article",
        "supplier": "suppliers pemasok vendor vendors",
        "amount": "amounts jumlah nominal nilai mutasi total",
        "date": "dates tanggal tgl",
        "description": "keterangan uraian deskripsi details detail memo narration berita remark remarks",
        "category": "categories kategori golongan",
        "customer": "customers pelanggan pembeli client clients",
        "sales": "sale penjualan omzet omset revenue pendapatan",
        "city": "cities kota",
        "airport": "airports bandara",
        "origin": "asal",
        "dest": "destination destinations tujuan",
        "debit": "debet keluar withdrawal withdrawals",
        "credit": "kredit masuk deposit deposits",
        "balance": "saldo",
        "quantity": "qty kuantitas banyaknya",
        "time": "waktu",
        "name": "nama",
        "unit": "satuan units",
        "type": "types tipe jenis kind",
        "channel": "channels kanal saluran",
    }.items()
    for word in words.split()
}


def words_of(text: str) -> list[str]:
    """Lower-case words in order; `arrDelay` and `arr_delay` are two."""
    return [word.lower() for word in WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))]


def concept(word: str) -> str:
    """One spelling for words that mean the same column: `keterlambatan` and `delays` are `delay`."""
    if word in _CONCEPTS:
        return _CONCEPTS[word]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    singular = word[:-1] if len(word) > 3 and re.search(r"[^siu]s$", word) else word
    return _CONCEPTS.get(singular, singular)


def number_of(word: str) -> int | None:
    return int(word) if word.isdecimal() and len(word) < 10 else NUMBERS.get(word)


def is_indonesian(text: str) -> bool:
    found = words_of(text)
    return _count(found, _INDONESIAN) > _count(found, _ENGLISH)


def addresses(text: str) -> list[str]:
    """Mail addresses in order of appearance, each once."""
    return list(dict.fromkeys(match.rstrip(".") for match in ADDRESS.findall(text)))


def mentions(text: str, stems: str) -> bool:
    """Whether a word of `text` begins with one of the space-separated `stems`."""
    wanted = tuple(stems.split())
    return any(word.startswith(wanted) for word in words_of(text))


def _count(found: Iterable[str], known: frozenset[str]) -> int:
    return sum(word in known for word in found)
