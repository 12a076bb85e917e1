"""How people call the arguments of the tools, in both languages. What has no name here keeps its own."""

import re
from collections.abc import Mapping

_NAMES: Mapping[str, tuple[str, str]] = {
    "account": ("the account", "rekening"),
    "amount_minor": ("the amount", "jumlah"),
    "attachments": ("the attachment", "lampiran"),
    "bcc": ("the hidden recipient", "penerima tersembunyi"),
    "body": ("the text", "isi"),
    "cc": ("the recipient in copy", "penerima tembusan"),
    "content": ("the content", "isi"),
    "currency": ("the currency", "mata uang"),
    "description": ("the description", "keterangan"),
    "headers": ("the header", "header"),
    "instructions": ("the instructions", "instruksi"),
    "media_type": ("the file type", "jenis berkas"),
    "method": ("the method", "metode"),
    "name": ("the name", "nama"),
    "payee": ("the payee", "penerima bayaran"),
    "reference": ("the reference", "referensi"),
    "role": ("the role", "peran"),
    "source": ("the source", "sumber"),
    "sql": ("the query", "kueri"),
    "subject": ("the subject", "perihal"),
    "text": ("the text", "teks"),
    "title": ("the title", "judul"),
    "to": ("the recipient", "penerima"),
    "url": ("the address", "alamat"),
}
_PARTS = re.compile(r"(\w+)(?:\[\*?\])?(.*)", re.DOTALL)


def argument_label(name: str, language: str) -> str:
    """The argument as the heading of its value: `Recipient`."""
    label = argument_name(name, language).removeprefix("the ")
    return label[:1].upper() + label[1:]


def argument_name(path: str, language: str) -> str:
    """The argument at `path` as people call it; what lies deeper inside it keeps its path behind the name."""
    parts = _PARTS.fullmatch(path)
    if parts is None or parts[1] not in _NAMES:
        return path
    name = _NAMES[parts[1]][0 if language == "en" else 1]
    return f"{name} ({path})" if parts[2] else name
