"""The company's quorum: whether each question was asked of as many people as the founders had signed, then."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from app.verifier.canonical import canonical_bytes
from app.verifier.errors import Broken

_EXEMPT = {"unknown_outcome"}
_UNLOCKING = {"quorum", "mandate"}


class _Wanted(NamedTuple):
    people: int
    founders: bool


class Quorums:
    """Follows the quorum through the events, and what each question wanted of it."""

    def __init__(self) -> None:
        self._lines: list[Mapping[str, Any]] = []
        self._founders_only: set[str] = set()

    def put(self, data: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        """`quorum.set`: it is the one that the signature covers. Raises `Broken`."""
        terms = data["quorum"]
        written = sha256(canonical_bytes(dict(terms))).hexdigest()
        if not written == data["terms_digest"] == claims["policy"] or data["approval_id"] != claims["approval"]:
            raise Broken("the quorum in force is not the one that the founders signed")
        self._lines = list(terms["lines"])

    def meet(self, data: Mapping[str, Any], founders: int) -> None:
        """`approval.raised`, in a company of so many founders. Raises `Broken` when it was asked of too few."""
        if not self._lines:
            return
        wanted = self._wanted(data)
        count = min(wanted.people, founders) if data["kind"] in _UNLOCKING else wanted.people
        asks = data["raised_by"].startswith(("founder:",) if wanted.founders else ("founder:", "deputy:"))
        if data["quorum"] < max(1, count - 1 if asks else count):
            raise Broken(f"asked of {data['quorum']} where the company's quorum wants {count}")
        if wanted.founders:
            self._founders_only.add(data["approval_id"])

    def check_vote(self, approval: str, by: str) -> None:
        """Somebody's yes. Raises `Broken` when only founders are counted."""
        if approval in self._founders_only and not by.startswith("founder:"):
            raise Broken("approved by a deputy where the company's quorum wants founders")

    def _wanted(self, data: Mapping[str, Any]) -> _Wanted:
        lines = [] if data["kind"] in _EXEMPT else [line for line in self._lines if _covers(line, data)]
        return _Wanted(max((line["count"] for line in lines), default=1), any(line["founders"] for line in lines))


def _covers(line: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    above, money = line["above"], data["money"]
    if line["tier"] != data["tier"]:
        return False
    if above is None:
        return True
    return money is not None and (money["currency"] != above["currency"] or int(money["minor"]) > above["minor"])
