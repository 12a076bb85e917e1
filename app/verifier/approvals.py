"""Whether each approval signature may stand where it stands: whose key it was, for what, and used once.

Facts are taken in the order of their numbers, which is that in which the database wrote them: whoever read something
that was committed before has the greater number. The order inside of one seal is another; so batches end where a seal
ends.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from app.verifier.canonical import act_digest
from app.verifier.documents import Fact, person, seconds
from app.verifier.errors import Broken
from app.verifier.keys import b64url
from app.verifier.mandates import Mandates
from app.verifier.quorums import Quorums
from app.verifier.rules import Rules
from app.verifier.tokens import KEYED, Token

CONTRACTS = {"hire": "role.hired", "amend": "role.amended", "budget_raise": "budget.raised"}
COMPANY = {"mandate": "mandate.granted", "quorum": "quorum.set"}
MUST_BE_SIGNED = (
    "tool.intended",
    "tool.done",
    "tool.failed",
    "tool.repeated",
    "role.hired",
    "role.amended",
    "mandate.granted",
    "quorum.set",
    "rule.made",
)
SKEW_SECONDS = 300
_OUTCOMES = ("tool.done", "tool.failed")


class _Key(NamedTuple):
    """A founder's own key, from the event that made it known."""

    founder: str
    public: str
    usable_from: float


class _Vote(NamedTuple):
    """A signed decision that the ledger has recorded; `final` closed the question."""

    approval: str
    final: bool


class Docket:
    """Follows approvals through the events. `whole` says that the events begin with the ledger's first."""

    def __init__(self, tenant: str, *, whole: bool) -> None:
        self.unknown = 0
        self.proofs = 0
        self._tenant = tenant
        self._whole = whole
        self._waiting: list[tuple[int, Fact, int | None]] = []
        self._keys: dict[tuple[str, str], _Key] = {}
        self._votes: dict[str, _Vote] = {}
        self._void: set[str] = set()
        self._quorums: dict[str, int] = {}
        self._agreed: dict[str, set[str]] = {}
        self._frozen: set[str] = set()
        self._nonces: dict[str, str] = {}
        self._listed: set[tuple[str, str]] = set()
        self._contracts: set[str] = set()
        self._used: set[tuple[str, str]] = set()
        self._mandates = Mandates(whole=whole)
        self._company = Quorums()
        self._rules = Rules(whole=whole)

    @property
    def signatures(self) -> int:
        """How many decisions were verified."""
        return len(self._votes)

    def take(self, fact: Fact, seq: int, line: int | None = None) -> None:
        """The next event; it is judged when its batch closes."""
        if fact.token is not None or fact.data is not None:
            self._waiting.append((seq, fact, line))

    def close_batch(self) -> None:
        """All that was sealed along is here. Raises `Broken`, which names the event."""
        for seq, fact, line in sorted(self._waiting, key=lambda one: one[1].n):
            try:
                self._try(fact)
            except Broken as broken:
                broken.seq, broken.event_id, broken.line = seq, fact.id, line
                raise
        self._waiting.clear()

    def _try(self, fact: Fact) -> None:
        try:
            self._judge(fact)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken(f"{fact.type}: its data is not what approvals need ({error})") from error

    def _judge(self, fact: Fact) -> None:
        data = fact.data or {}
        match fact.type:
            case kind if kind.startswith("founder."):
                self._meet_key(fact, data)
            case "approval.raised":
                check_payload(fact, data)
                self._company.meet(data, self._mandates.founders)
                self._quorums[data["approval_id"]] = data.get("quorum", 1)
            case "approval.frozen":
                self._frozen.update(data["approval_ids"])
            case "approval.thawed":
                self._frozen.difference_update(data["approval_ids"])
            case "approval.undone":
                self._undo(data["approval_id"])
            case "approval.decided" | "approval.voted":
                self._vote(fact, data)
            case "mandate.ended":
                self._mandates.end(data)
            case "rule.revoked":
                self._rules.revoke(data)
            case _ if fact.token is not None:
                self._use(fact, fact.token, data)
            case kind if kind in MUST_BE_SIGNED:
                raise Broken(f"{kind} without an approval signature")
            case _:
                pass

    def _meet_key(self, fact: Fact, data: Mapping[str, Any]) -> None:
        match fact.type:
            case "founder.passkey_added":
                key = _Key(person(fact.actor), data["public_key"], seconds(data["usable_from"]))
                self._keys["passkey", data["credential_id"]] = key
            case "founder.passkey_removed":
                self._keys.pop(("passkey", data["credential_id"]), None)
            case "founder.device_key_added":
                key = _Key(person(fact.actor), b64url(bytes.fromhex(data["public_key"])), 0)
                self._keys["device_key", data["kid"]] = key
            case "founder.device_key_removed":
                self._keys.pop(("device_key", data["kid"]), None)
            case _:
                pass

    def _undo(self, approval: str) -> None:
        self._void.update(jti for jti, vote in self._votes.items() if vote.approval == approval)
        self._agreed.pop(approval, None)

    def _vote(self, fact: Fact, data: Mapping[str, Any]) -> None:
        token = fact.token
        if token is None:
            raise Broken("a decision without a signature")
        claims = self._sound(token)
        same = ("payload_digest", "act_digest", "kind", "decision", "role_version")
        said = (claims["approval"], *(claims.get(name) for name in same), claims.get("run_id"), claims.get("step"))
        if said != (data["approval_id"], *(data[name] for name in same), fact.run_id, fact.step):
            raise Broken("the signature is over another decision than the event records")
        if claims["sub"] != fact.actor:
            raise Broken("the decision was signed for somebody else")
        if claims["jti"] in self._votes:
            raise Broken("the signature of another decision stands here again")
        self._check_time(claims, fact)
        self._check_proof(token, data, claims)
        if fact.actor.startswith("founder:"):
            self._mandates.check_founder(person(fact.actor))
        elif not self._mandates.covers(claims, person(fact.actor), data):
            self.unknown += 1
        final = fact.type == "approval.decided"
        self._votes[claims["jti"]] = _Vote(claims["approval"], final)
        if claims["decision"] == "approve":
            self._company.check_vote(claims["approval"], fact.actor)
            self._agree(claims["approval"], person(claims["sub"]), data, final=final)

    def _agree(self, approval: str, by: str, data: Mapping[str, Any], *, final: bool) -> None:
        """A question is approved once as many different people have agreed as it wanted."""
        agreed = self._agreed.setdefault(approval, set())
        agreed.add(by)
        wanted = self._quorums.get(approval, data.get("quorum", 1))
        if not final or len(agreed) >= wanted:
            return
        if self._whole or approval in self._quorums:
            raise Broken(f"approved by {len(agreed)} where {wanted} different people must agree")
        self.unknown += 1

    def _sound(self, token: Token) -> Mapping[str, Any]:
        if token.fault is not None:
            raise Broken(token.fault)
        if token.claims["tid"] != self._tenant:
            raise Broken("the approval signature is another tenant's")
        return token.claims

    def _check_time(self, claims: Mapping[str, Any], fact: Fact) -> None:
        signed, stamped = claims["iat"], seconds(fact.at)
        if abs(stamped - signed) > SKEW_SECONDS:
            raise Broken("the decision is signed at another time than its event was written: backdated")
        if signed > claims["exp"] and claims["approval"] not in self._frozen:
            if self._whole:
                raise Broken("the decision came after the question had expired")
            self.unknown += 1

    def _check_proof(self, token: Token, data: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        if token.method != data["method"]:
            raise Broken("the event names another way of proving than its signature carries")
        if token.method not in KEYED:
            if data["tier"] == "R2" and claims["decision"] == "approve":
                raise Broken("approved without the founder's own key, which this tier needs")
            return
        self.proofs += 1
        key = self._keys.get((token.method, token.key_name))
        self._use_nonce(token, claims)
        if key is None:
            if self._whole:
                raise Broken("the founder's key is not one that the ledger made known, or it was removed")
            self.unknown += 1
            return
        if key.founder != person(claims["sub"]) or key.public != b64url(token.key):
            raise Broken("the founder's key is not the one that the ledger made known")
        if key.usable_from > claims["iat"] + SKEW_SECONDS:
            raise Broken("the founder's key was not usable yet")

    def _use_nonce(self, token: Token, claims: Mapping[str, Any]) -> None:
        """A statement is used once; one over a list once for each decision that it names."""
        known, place = self._nonces.get(token.nonce), (token.nonce, claims["approval"])
        if known is not None and (not token.listed or known != token.listed or place in self._listed):
            raise Broken("the founder's statement was used before")
        self._nonces[token.nonce] = token.listed
        self._listed.add(place)

    def _use(self, fact: Fact, token: Token, data: Mapping[str, Any]) -> None:
        claims = self._sound(token)
        vote = self._votes.get(claims["jti"])
        if vote is None and self._whole:
            raise Broken("the signature is of no decision that the ledger has recorded")
        if vote is None:
            self.unknown += 1
        elif not vote.final:
            raise Broken("the signature is a vote that did not close the question")
        if claims["jti"] in self._void:
            raise Broken("the founder had taken the approval back")
        if claims["kind"] in CONTRACTS:
            self._use_contract(fact, claims, data)
        elif claims["kind"] in COMPANY:
            self._use_company(fact, claims, data)
        elif claims["kind"] == "rule":
            self._use_rule(fact, claims, data)
        else:
            self._use_once(fact, claims, data)

    def _use_contract(self, fact: Fact, claims: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        if claims["decision"] != "approve":
            raise Broken("done under a contract that the founder rejected")
        if fact.type == CONTRACTS[claims["kind"]]:
            in_force = (data["approval_id"], data["role_id"], data["version"], data["terms_digest"])
            if in_force != tuple(claims[name] for name in ("approval", "role_id", "role_version", "policy")):
                raise Broken("the contract in force is not the one that the founder signed")
            self._once(claims, "contract")
            self._contracts.add(claims["jti"])
            return
        if not fact.type.startswith(("tool.", "model.")):
            raise Broken(f"{fact.type} under the signature of a contract")
        said = (data["role_id"], data["role_version"], data["policy"])
        if said != (claims["role_id"], claims["role_version"], claims["policy"]):
            raise Broken("done under another contract than the founder signed")
        if claims["jti"] not in self._contracts and self._whole:
            raise Broken("done under a contract that is not in force")

    def _use_company(self, fact: Fact, claims: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        kind = claims["kind"]
        if fact.type != COMPANY[kind] or claims["decision"] != "approve":
            raise Broken(f"{fact.type} under the signature of a {kind}")
        if not claims["sub"].startswith("founder:"):
            raise Broken(f"a {kind} that no founder has signed")
        self._once(claims, kind)
        (self._mandates.grant if kind == "mandate" else self._company.put)(data, claims)

    def _use_rule(self, fact: Fact, claims: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        if claims["decision"] != "approve" or not claims["sub"].startswith("founder:"):
            raise Broken("a rule that no founder has signed")
        if fact.type == "rule.made":
            self._once(claims, "rule")
            self._rules.make(data, claims)
            return
        if not fact.type.startswith("tool."):
            raise Broken(f"{fact.type} under the signature of a rule")
        if not self._rules.use(fact, data, claims):
            self.unknown += 1

    def _use_once(self, fact: Fact, claims: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        family = {
            "tool_call": "tool.",
            "unknown_outcome": "tool.",
            "start": "run.",
            "party": "party.",
            "tool_server": "server.",
        }
        prefix = family.get(claims["kind"])
        if prefix is None or not fact.type.startswith(prefix):
            raise Broken(f"{fact.type} under the signature of a {claims['kind'][:40]} approval")
        if claims["kind"] == "tool_call" and data["act_digest"] != claims["act_digest"]:
            raise Broken("the signature is over other arguments than the event records")
        if fact.type == "tool.rejected":
            wanted = "reject"
        else:
            wanted = self._decision_for(fact, claims)
            self._check_place(fact, claims, data)
        if claims["decision"] != wanted:
            raise Broken(f"{fact.type} under a decision to {claims['decision']}")

    def _decision_for(self, fact: Fact, claims: Mapping[str, Any]) -> str:
        """Of the founder, for such an event; notes that the signature is used up where it may be used once."""
        kind = claims["kind"]
        if kind == "start" and fact.type == "run.closed":
            return "reject"
        if fact.type in _OUTCOMES or kind in ("start", "party", "tool_server"):
            self._once(claims, "outcome")
        elif fact.type == "tool.intended":
            self._once(claims, "intent")
        return "reject" if kind == "unknown_outcome" and fact.type == "tool.failed" else "approve"

    def _check_place(self, fact: Fact, claims: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        if (fact.run_id, fact.step) != (claims.get("run_id"), claims.get("step")):
            raise Broken("the signature is for another step than the event's")
        if claims["kind"] == "tool_call":
            said = (data["role_id"], data["role_version"], data["policy"])
            if said != (claims["role_id"], claims["role_version"], claims["policy"]):
                raise Broken("done under another contract than the founder signed")
        if claims["kind"] == "unknown_outcome" and claims["act_digest"] != act_digest(
            ["unknown_outcome", fact.run_id, fact.step]
        ):
            raise Broken("the signature is over another question than the event's")

    def _once(self, claims: Mapping[str, Any], slot: str) -> None:
        use = (claims["jti"], slot)
        if use in self._used:
            raise Broken("the approval was used before")
        self._used.add(use)


def check_payload(fact: Fact, data: Mapping[str, Any]) -> None:
    """What was shown and is signed is kept as evidence: its hash is the payload's digest, unless it is personal and
    thus encrypted. Raises `Broken`."""
    for ref in fact.evidence:
        if ref.subject is None and ref.sha256 != data["payload_digest"]:
            raise Broken("the question's payload is another than the one that would be signed")
