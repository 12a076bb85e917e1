"""How fast the API is ready, at what CPU and memory, and that no agent framework and no queue library come along."""

import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil

from bench._machine import bench_home, environment_of
from bench.figures import Figure, arguments, middle, show
from tests.processes import free_port

FORBIDDEN = ("langgraph", "langchain_core", "agents", "smolagents", "openai", "pgqueuer")
_IMPORTS = f"import sys, app.main; print(sum(name in sys.modules for name in {FORBIDDEN!r}))"


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        rounds = [_boot(environment_of(settings, free_port())) for _ in range(2 if chosen.quick else 5)]
    wall, cpu, memory = (middle([float(taken[at]) for taken in rounds]) for at in range(3))
    imported = int(subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True).stdout)
    figures = {
        "api_ready_wall": Figure(wall, "s", "process start to the first 200 of /readyz, database up", 2.5, "less"),
        "api_ready_cpu": Figure(cpu, "s", "user and system time of the process until then", 1.5, "less"),
        "api_memory": Figure(memory, "MB", "resident set after the first answer", 150, "less"),
        "forbidden_imports": Figure(imported, "", f"of {', '.join(FORBIDDEN)} in the API process", 0, "less"),
    }
    show(figures, as_json=chosen.json)


def _boot(environment: dict[str, str]) -> tuple[float, float, float]:
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "app.cli", "api"], env=environment, start_new_session=True)
    try:
        while not _ready(environment["FLR_PORT"]):
            if process.poll() is not None:
                raise SystemExit("the API ended before it was ready")
            time.sleep(0.01)
        wall = time.perf_counter() - began
        seen = psutil.Process(process.pid)
        times = seen.cpu_times()
        return wall, times.user + times.system, seen.memory_info().rss / 1_000_000
    finally:
        process.terminate()
        process.wait()


def _ready(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
