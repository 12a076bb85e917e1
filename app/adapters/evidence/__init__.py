"""Where evidence lives: a local folder by default. Each store passes `tests/adapters/test_evidence_contract.py`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.adapters.evidence.folder import FolderStore
from app.canon.errors import Misconfigured
from app.canon.evidence import EvidenceStore

__all__ = ["FolderStore", "load_store"]


def load_store(url: str | None, home: Path) -> EvidenceStore:
    """The store that `FLR_EVIDENCE_URL` names, else the folder `evidence` in `home`. The caller closes it.

    Raises `Misconfigured` for an address that no store here serves.
    """
    if url is None:
        return FolderStore(home / "evidence")
    split = urlsplit(url)
    if split.scheme == "file" and split.netloc in ("", "localhost") and split.path:
        return FolderStore(Path(unquote(split.path)))
    raise Misconfigured(f"FLR_EVIDENCE_URL={url!r}: write file:/absolute/folder")
