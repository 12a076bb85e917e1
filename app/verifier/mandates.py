"""Mandates: whether a founder had signed that this deputy may approve this, then; and who is a founder no more."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from app.verifier.canonical import canonical_bytes
from app.verifier.documents import instant
from app.verifier.errors import Broken


class Mandates:
    """Follows mandates through the events; `whole` says that the events begin with the ledger's first."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._in_force: dict[str, Mapping[str, Any]] = {}
        self._of: dict[str, str] = {}
        self._left: set[str] = set()

    @property
    def founders(self) -> int:
        """How many: the first, and those who were admitted since."""
        return 1 + len([terms for terms in self._in_force.values() if terms["rol"] == "founder"])

    def grant(self, data: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        """`mandate.granted`: its terms are those that the signature covers. Raises `Broken`."""
        terms, mandate_id = data["mandate"], data["mandate_id"]
        written = sha256(canonical_bytes(dict(terms))).hexdigest()
        if not written == data["terms_digest"] == claims["policy"] or data["approval_id"] != claims["approval"]:
            raise Broken("the mandate in force is not the one that the founder signed")
        self._in_force.pop(self._of.get(terms["person"], ""), None)
        self._in_force[mandate_id] = terms
        self._of[terms["person"]] = mandate_id
        self._left.discard(terms["person"])

    def end(self, data: Mapping[str, Any]) -> None:
        """`mandate.ended`: whoever it admitted as a founder is one no more, until admitted anew."""
        self._in_force.pop(data["mandate_id"], None)
        self._left.add(data["person"])

    def check_founder(self, founder: str) -> None:
        """A founder decides. Raises `Broken` when what admitted them was ended."""
        if founder in self._left:
            raise Broken("somebody decided who was a founder no more")

    def covers(self, claims: Mapping[str, Any], deputy: str, data: Mapping[str, Any]) -> bool:
        """Whether a deputy's decision lies inside a known mandate; False when that cannot be known from a part.

        Raises `Broken` when it lies outside.
        """
        name = claims.get("mandate")
        if not isinstance(name, str):
            raise Broken("a deputy decided without a mandate")
        terms = self._in_force.get(name)
        if terms is None:
            if self._whole:
                raise Broken("a deputy decided under a mandate that is not in force")
            return False
        if terms["person"] != deputy or terms["rol"] != "deputy":
            raise Broken("a deputy decided under the mandate of somebody else")
        if claims["iat"] >= instant(terms["ends_at"]).timestamp():
            raise Broken("a deputy decided when the mandate was over")
        if claims["decision"] == "approve":
            _check_bounds(terms, data)
        return True


def _check_bounds(terms: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    money, cap = data["money"], terms["cap"]
    inside = (
        data["tier"] in terms["tiers"]
        and data["kind"] in terms["kinds"]
        and (not terms["roles"] or data["role_id"] in terms["roles"])
        and (money is None or int(money["minor"]) == 0 or _affords(cap, money))
    )
    if not inside:
        raise Broken("a deputy approved what the mandate does not reach to")


def _affords(cap: Mapping[str, Any] | None, money: Mapping[str, Any]) -> bool:
    return cap is not None and cap["currency"] == money["currency"] and 0 <= int(money["minor"]) <= cap["minor"]
