"""A program in the locked room: what it may do, and that every way out is shut."""

import os
import socket
from pathlib import Path

import msgspec
import psutil
import pytest

from app.adapters.sandbox import Limits, NoSandbox, bubblewrap
from app.adapters.tools import load_tools
from app.adapters.tools.python import RunPythonTool
from app.canon.tool import ToolFailed, ToolResult
from tests.adapters.tool_calls import HeldFiles, call

SALES = ("text/csv", b"day,amount\n1,100\n2,250\n")
SHORT = Limits(seconds=20, cpu_seconds=3, memory_bytes=200 << 20, kept_bytes=8 << 20, file_bytes=4 << 20)


def locked() -> bool:
    """Whether this machine can lock a program away. Where it can't, only the refusal can be tested."""
    try:
        bubblewrap()
    except NoSandbox:
        return False
    return True


async def run(code: str, files: dict[str, tuple[str, bytes]] | HeldFiles | None = None, *names: str) -> ToolResult:
    return await RunPythonTool(SHORT).perform(call(files, code=code, files=list(names)))


async def refusal_of(code: str, *names: str, files: dict[str, tuple[str, bytes]] | None = None) -> str:
    with pytest.raises(ToolFailed) as failed:
        await run(code, files, *names)
    return str(failed.value)


if not locked():

    async def test_without_a_sandbox_the_program_is_refused_with_what_to_install() -> None:
        assert "bubblewrap" in await refusal_of("print(1)")

else:

    async def test_a_program_reads_the_named_files_prints_and_makes_documents() -> None:
        code = (
            "import csv\n"
            "rows = list(csv.DictReader(open('/in/sales.csv')))\n"
            "total = sum(int(row['amount']) for row in rows)\n"
            "open('total.txt', 'w').write(f'{total}')\n"
            "print('total', total)\n"
        )
        result = await run(code, {"sales.csv": SALES, "other.csv": SALES}, "sales.csv")
        assert result.content.startswith("total 350\n")
        assert [(file.name, file.media_type, file.content) for file in result.files] == [
            ("total.txt", "text/plain", b"350")
        ]
        assert [item.name for item in result.evidence] == ["code.py", "stdout.txt"]

    async def test_only_named_files_are_there_and_none_can_be_changed() -> None:
        code = (
            "import os\n"
            "print(os.listdir('/in'))\n"
            "for act in (lambda: open('/in/sales.csv', 'w'), lambda: open('/in/new', 'w'), lambda: "
            "os.unlink('/in/sales.csv')):\n"
            "    try: act()\n"
            "    except OSError as error: print(type(error).__name__)\n"
            "    else: print('CHANGED')\n"
        )
        result = await run(code, {"sales.csv": SALES, "other.csv": SALES}, "sales.csv")
        assert "['sales.csv']" in result.content
        assert "CHANGED" not in result.content

    async def test_a_file_of_another_ticket_is_no_file() -> None:
        assert "no file 'theirs.csv'" in await refusal_of("print(1)", "theirs.csv")

    async def test_a_program_that_fails_says_why_and_leaves_no_document() -> None:
        said = await refusal_of("open('half.txt', 'w').write('x')\nraise ValueError('the sum is off')")
        assert "ended with 1" in said
        assert "ValueError: the sum is off" in said

    async def test_nothing_of_this_machine_can_be_read(home: Path) -> None:
        secret = home / "keys" / "token-0.pem"
        secret.parent.mkdir(parents=True)
        secret.write_text("PRIVATE")
        wanted = ["/etc/passwd", "/etc/shadow", "/etc/hostname", str(secret), str(Path.cwd() / "pyproject.toml")]
        wanted += [f"/proc/{os.getpid()}/environ", f"/proc/{os.getppid()}/cmdline", "/proc/1/environ", __file__]
        code = (
            f"for path in {wanted!r}:\n"
            "    try: print('READ', path, open(path, 'rb').read(20))\n"
            "    except OSError as error: print(type(error).__name__)\n"
        )
        lines = (await run(code)).content.splitlines()
        assert len(lines) == len(wanted)
        assert [line for line in lines if line.startswith("READ")] == []

    async def test_no_variable_of_this_process_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://secret@here/flr")
        result = await run("import os\nprint(sorted(os.environ))")
        assert "DATABASE_URL" not in result.content
        assert "FLR" not in result.content

    async def test_no_installed_package_is_there() -> None:
        assert "ModuleNotFoundError" in await refusal_of("import msgspec")

    async def test_no_network_not_even_this_machines_own() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            code = (
                "import socket\n"
                f"for host, port in (('127.0.0.1', {port}), ('1.1.1.1', 53), ('::1', {port})):\n"
                "    try: socket.create_connection((host, port), 2); print('REACHED', host)\n"
                "    except OSError as error: print(type(error).__name__)\n"
                "try: print('RESOLVED', socket.getaddrinfo('example.com', 80))\n"
                "except OSError as error: print(type(error).__name__)\n"
            )
            result = await run(code)
        assert "REACHED" not in result.content
        assert "RESOLVED" not in result.content

    async def test_no_socket_of_the_database_is_there() -> None:
        code = (
            "import os\nprint([p for p in ('/var/run', '/run/postgresql', '/tmp/.s.PGSQL.5432') if os.path.exists(p)])"
        )
        assert (await run(code)).content.strip() == "[]"

    async def test_other_processes_are_not_seen_and_cannot_be_killed() -> None:
        code = (
            "import os, signal\n"
            "print(len([p for p in os.listdir('/proc') if p.isdigit()]))\n"
            f"try: os.kill({os.getpid()}, signal.SIGKILL); print('KILLED')\n"
            "except (ProcessLookupError, PermissionError) as error: print(type(error).__name__)\n"
        )
        lines = (await run(code)).content.splitlines()
        assert int(lines[0]) <= 4
        assert lines[1] == "ProcessLookupError"

    async def test_a_fork_bomb_meets_the_limit_and_leaves_nothing_behind() -> None:
        marker = f"flr-fork-bomb-{os.getpid()}"
        code = (
            f"import os, sys\nsleeper = [sys.executable, '-c', 'import time; time.sleep(100)', {marker!r}]\nn = 0\n"
            "while n < 500:\n"
            "    n += 1\n"
            "    try: pid = os.fork()\n"
            "    except OSError: print('STOPPED'); sys.stdout.flush(); break\n"
            "    if pid == 0: os.execv(sys.executable, sleeper)\n"
        )
        result = await run(code)
        assert "STOPPED" in result.content
        left = [process for process in psutil.process_iter(["cmdline"]) if marker in (process.info["cmdline"] or [])]
        assert left == []

    async def test_memory_is_limited_for_one_process_and_for_all_together() -> None:
        assert "MemoryError" in await refusal_of("x = bytearray(300 << 20)")
        many = (
            "import os, time\n"
            "for _ in range(8):\n"
            "    if os.fork() == 0:\n"
            "        x = bytearray(b'1') * (60 << 20); time.sleep(30)\n"
            "time.sleep(30)\n"
        )
        assert "more than 200 MB of memory" in await refusal_of(many)

    async def test_an_endless_loop_ends_at_the_limit_of_computing() -> None:
        assert "stopped" in await refusal_of("while True: pass")

    async def test_waiting_for_ever_ends_at_the_limit_of_time() -> None:
        tool = RunPythonTool(Limits(seconds=1))
        with pytest.raises(ToolFailed, match="longer than 1 seconds"):
            await tool.perform(call(code="import time\ntime.sleep(1000)"))

    async def test_nothing_can_be_written_but_out_and_a_small_tmp() -> None:
        code = (
            "import os\n"
            "for path in ('/x', '/run/flr/code.py', '/dev/x', '/proc/sys/kernel/hostname', '/root/x', '/in/x'):\n"
            "    try: open(path, 'w'); print('WROTE', path)\n"
            "    except OSError as error: print(type(error).__name__)\n"
            "try:\n"
            "    for n in range(40): open(f'/tmp/{n}', 'wb').write(b'x' * (3 << 20))\n"
            "    print('WROTE all')\n"
            "except OSError as error: print(error.strerror)\n"
        )
        assert "WROTE" not in (await run(code)).content

    async def test_too_many_bytes_in_out_end_the_program() -> None:
        code = (
            "import time\n"
            "for n in range(1000):\n"
            "    open(f'/out/{n}.bin', 'wb').write(b'x' * (1 << 20)); time.sleep(0.02)\n"
        )
        assert "more than 8 MB of files" in await refusal_of(code)
        assert "File too large" in await refusal_of("open('/out/big', 'wb').write(b'x' * (5 << 20))")

    async def test_links_and_pipes_in_out_are_left_behind() -> None:
        code = (
            "import os\n"
            "os.symlink('/etc/passwd', '/out/passwd')\n"
            "os.symlink('/in/sales.csv', '/out/link.csv')\n"
            "os.mkfifo('/out/pipe')\n"
            "os.mkdir('/out/folder'); open('/out/folder/x', 'w').write('x')\n"
            "os.symlink('/etc', '/out/etc')\n"
            "open('/out/-rf', 'w').write('x')\n"
            "open('/out/good.txt', 'w').write('good')\n"
            "try: os.link('/in/sales.csv', '/out/hard.csv'); print('LINKED')\n"
            "except OSError as error: print(type(error).__name__)\n"
        )
        result = await run(code, {"sales.csv": SALES}, "sales.csv")
        assert [file.name for file in result.files] == ["good.txt"]
        assert "LINKED" not in result.content
        assert isinstance(result.data, dict)
        assert len(result.data["left_behind"]) == 6

    async def test_rights_cannot_be_gained_inside() -> None:
        code = (
            "import os\n"
            "print(os.getuid() != 0, os.geteuid() != 0)\n"
            "for act in (lambda: os.setuid(0), lambda: os.chroot('/tmp')):\n"
            "    try: act(); print('GAINED')\n"
            "    except OSError as error: print(type(error).__name__)\n"
            "print([line for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs'))])\n"
        )
        content = (await run(code)).content
        assert "GAINED" not in content
        assert "CapEff:\\t0000000000000000" in content
        assert "NoNewPrivs:\\t1" in content

    async def test_much_output_is_cut_and_the_program_still_ends() -> None:
        result = await run("for n in range(400_000): print(n, 'line of output')")
        assert "only its beginning" in result.content
        assert len(result.evidence[1].content) == 1 << 20

    async def test_a_document_never_takes_the_name_of_an_attached_file() -> None:
        held = HeldFiles({"sales.csv": SALES})
        held.files = tuple(msgspec.structs.replace(file, attached=True) for file in held.files)
        result = await run("open('/out/sales.csv', 'w').write('other')", held, "sales.csv")
        assert result.files == ()
        assert "use another name" in result.content


def test_every_runtime_has_the_tool() -> None:
    assert load_tools()["run_python"].spec.effect == "read"
