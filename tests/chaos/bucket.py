"""A real S3 server that is killed with -9 and comes back at the same address over the same data."""

import subprocess
from pathlib import Path

from tests.adapters.seaweed import KEYS, Seaweed, free_ports, start_seaweed

PREFIX = "company"


class Bucket:
    """Started, killed, started again; `end` it afterwards. Blocking."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._ports = free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Where and with which key the product finds it."""
        return {
            "FLR_EVIDENCE_URL": Seaweed(f"http://127.0.0.1:{self._ports[0]}").url(PREFIX),
            "FLR_EVIDENCE_ACCESS_KEY": KEYS.access_key,
            "FLR_EVIDENCE_SECRET_KEY": KEYS.secret_key,
        }

    def start(self) -> None:
        """It takes objects when this returns."""
        _, self._process = start_seaweed(self._folder, self._ports)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
