"""How many words two texts share, in English and Indonesian: the whole understanding of what decides by rules."""

import re

_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY = (
    "the and for with from that this into your you our are will who what when all any each one can has have not does "
    "please per via its than then there here him her them they was were been being also only but out off over under "
    "yang dan untuk dengan dari pada ini itu oleh akan atau juga para setiap semua kami kita anda saya ada tidak "
    "tolong harap agar bagi dalam sebagai sudah belum bisa dapat hanya lagi telah"
)
_SAME = (
    "invoice tagihan faktur bill",
    "pay bayar payment lunas",
    "account rekening",
    "statement mutasi koran",
    "bookkeeping pembukuan bookkeeper akuntansi accounting buku",
    "finance keuangan financial",
    "mail email surat letter",
    "reply balas answer jawab respond",
    "customer pelanggan client pembeli",
    "price harga",
    "supplier pemasok vendor",
    "buy beli purchase purchasing pengadaan procurement",
    "report laporan",
    "data",
    "analysis analisis analyst analis analyse analyze",
    "sales penjualan jual sale",
    "revenue pendapatan omzet",
    "compare banding comparison",
    "category kategori categorise categorize golong",
    "shipping kirim pengiriman delivery ekspedisi",
    "stock stok inventory persediaan",
    "tax pajak",
    "contract kontrak",
    "complaint keluhan",
    "support dukungan bantuan help",
)
_PREFIXES = ("meng", "mem", "men", "pem", "pen", "peng", "ber", "ter", "di", "me")
_ENDINGS = ("ments", "ment", "ingly", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "kan", "an", "nya", "i", "y")
_STEM = 4


def words(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning; the two languages' words for one thing are one."""
    found = (match.group().lower() for match in _WORD.finditer(text))
    return frozenset(_ONE_OF.get(stem(word), stem(word)) for word in found if word not in _EMPTY_WORDS)


def stem(word: str) -> str:
    """A word without its commonest beginning and ending; short words stay as they are."""
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= _STEM:
            word = word[len(prefix) :]
            break
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word[: -len(ending)]
    return word


def overlap(one: str, other: str) -> int:
    """The number of stems in both texts."""
    return len(words(one) & words(other))


_EMPTY_WORDS = frozenset(_EMPTY.split())
_ONE_OF = {stem(word): group.split(maxsplit=1)[0] for group in _SAME for word in group.split()}
