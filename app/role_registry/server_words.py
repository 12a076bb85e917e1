"""The question whether a tool server may be used: where it runs, what it reaches, and what each tool does. Pure."""

from collections.abc import Mapping

from app.canon.tool_server import HttpServer, StdioServer, ToolServer
from app.canon.vocabulary import Risk

RISKS: Mapping[str, Mapping[Risk, str]] = {
    "en": {
        Risk.READ: "only reads",
        Risk.REVERSIBLE: "changes what can be changed back",
        Risk.OUTBOUND: "acts outside",
        Risk.MONEY: "moves money",
        Risk.IRREVERSIBLE: "cannot be undone",
    },
    "id": {
        Risk.READ: "hanya membaca",
        Risk.REVERSIBLE: "mengubah yang dapat dikembalikan",
        Risk.OUTBOUND: "bertindak ke luar",
        Risk.MONEY: "memindahkan uang",
        Risk.IRREVERSIBLE: "tidak dapat dibatalkan",
    },
}


def server_question(server: ToolServer) -> dict[str, str]:
    """What the founder reads and signs, in both languages; the first sentence is the question."""
    english = [f"Let workers use the tools of {server.name}?"]
    indonesian = [f"Izinkan pekerja memakai alat dari {server.name}?"]
    match server.at:
        case StdioServer():
            _add_program(server.at, english, indonesian)
        case HttpServer(url):
            english.append(f"The server is outside, at {url}; what a call carries goes there.")
            indonesian.append(f"Peladennya di luar, di {url}; isi setiap panggilan dikirim ke sana.")
    if names := ", ".join(sorted(secrets_of(server))):
        english.append(f"It is given these secrets: {names}.")
        indonesian.append(f"Ia diberi rahasia ini: {names}.")
    english.append(f"Tools: {_tools(server, 'en')}.")
    indonesian.append(f"Alat: {_tools(server, 'id')}.")
    return {"en": " ".join(english), "id": " ".join(indonesian)}


def _add_program(at: StdioServer, english: list[str], indonesian: list[str]) -> None:
    command = " ".join(at.command)
    english.append(f"The program runs on this machine, locked away: {command}.")
    indonesian.append(f"Programnya berjalan di mesin ini, terkunci: {command}.")
    if at.network:
        english.append("Network on: it reaches all that this machine reaches.")
        indonesian.append("Jaringan menyala: ia menjangkau semua yang dijangkau mesin ini.")
    else:
        english.append("Network off.")
        indonesian.append("Jaringan mati.")
    read = ", ".join(folder.path for folder in at.folders if not folder.writable)
    written = ", ".join(folder.path for folder in at.folders if folder.writable)
    if read:
        english.append(f"It may read {read}.")
        indonesian.append(f"Ia boleh membaca {read}.")
    if written:
        english.append(f"It may read and write {written}.")
        indonesian.append(f"Ia boleh membaca dan menulis {written}.")
    if not at.folders:
        english.append("It sees no folder of yours.")
        indonesian.append("Ia tidak melihat folder apa pun milik Anda.")


def _tools(server: ToolServer, language: str) -> str:
    return ", ".join(f"{tool.name} ({RISKS[language][tool.risk]})" for tool in server.tools)


def secrets_of(server: ToolServer) -> frozenset[str]:
    """The names of the secrets that the server is given."""
    match server.at:
        case StdioServer(secrets=secrets):
            return frozenset(secrets.values())
        case HttpServer(secrets=headers):
            return frozenset(secret.name for secret in headers.values())
