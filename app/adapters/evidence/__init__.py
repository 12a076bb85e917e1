"""Where evidence lives: a local folder by default, or a bucket.

Each store passes `tests/adapters/test_evidence_contract.py`. The bucket's vendor kit is imported only where a bucket is
configured.
"""

from importlib import import_module
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from app.adapters.evidence.folder import FolderStore
from app.canon.errors import Misconfigured
from app.canon.evidence import EvidenceStore

__all__ = ["FolderStore", "load_store"]

_FORMS = "write file:/absolute/folder or s3://bucket/prefix?endpoint=https://...&region=auto"


def load_store(
    url: str | None, home: Path, *, access_key: str | None = None, secret_key: str | None = None
) -> EvidenceStore:
    """The store that `FLR_EVIDENCE_URL` names, else the folder `evidence` in `home`. The caller closes it.

    The keys are a bucket's; without them the usual AWS_* variables are asked. Raises `Misconfigured` for an address
    that no store here serves.
    """
    if url is None:
        return FolderStore(home / "evidence")
    split = urlsplit(url)
    if split.scheme == "s3":
        return cast(EvidenceStore, import_module("app.adapters.evidence.s3").open_store(url, access_key, secret_key))
    if split.scheme == "file" and split.netloc in ("", "localhost") and split.path:
        return FolderStore(Path(unquote(split.path)))
    raise Misconfigured(f"FLR_EVIDENCE_URL={url!r}: {_FORMS}")
