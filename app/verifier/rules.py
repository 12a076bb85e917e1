"""Standing rules: whether a founder had signed that calls like this one may be made without asking, so often, then."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from app.verifier.canonical import canonical_bytes
from app.verifier.documents import Fact, instant
from app.verifier.errors import Broken


class _Rule:
    def __init__(self, rule_id: str, terms: Mapping[str, Any]) -> None:
        self.id = rule_id
        self.terms = terms
        self.calls: set[tuple[Any, Any]] = set()


class Rules:
    """Follows rules through the events, by the `jti` of the signature; `whole`: they begin with the ledger's first."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._made: dict[str, _Rule] = {}
        self._revoked: set[str] = set()

    def make(self, data: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        """`rule.made`: its terms are those that the signature covers. Raises `Broken`."""
        terms = data["rule"]
        written = sha256(canonical_bytes(dict(terms))).hexdigest()
        signed = (claims["approval"], claims["policy"], claims["role_id"])
        if written != data["terms_digest"] or (data["approval_id"], written, terms["role_id"]) != signed:
            raise Broken("the rule in force is not the one that the founder signed")
        self._made[claims["jti"]] = _Rule(data["rule_id"], terms)

    def revoke(self, data: Mapping[str, Any]) -> None:
        self._revoked.add(data["rule_id"])

    def use(self, fact: Fact, data: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
        """A call under the rule; False when that cannot be known from a part. Raises `Broken` when it lies outside."""
        rule = self._made.get(claims["jti"])
        if rule is None:
            if self._whole:
                raise Broken("done under a rule that is not in force")
            return False
        said = (data["role_id"], data["tool"], data["schema_hash"])
        if said != tuple(rule.terms[name] for name in ("role_id", "tool", "schema_hash")):
            raise Broken("done under a rule for something else")
        place = (fact.run_id, fact.step)
        if place in rule.calls:
            return True
        if rule.id in self._revoked:
            raise Broken("done under a rule that was revoked")
        if instant(fact.at) >= instant(rule.terms["until"]):
            raise Broken("done under a rule whose time was over")
        rule.calls.add(place)
        if len(rule.calls) > rule.terms["uses"]:
            raise Broken("a rule was used more often than the founder signed")
        return True
