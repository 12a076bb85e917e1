"""What an auditor finds when a deputy decided outside of what a founder had signed."""

from hashlib import sha256
from typing import Any

import pytest

from app.verifier.canonical import canonical_bytes
from app.verifier.errors import Broken
from app.verifier.mandates import Mandates

TERMS: dict[str, Any] = {
    "person": "budi",
    "name": "Budi",
    "rol": "deputy",
    "tiers": ["R1"],
    "kinds": ["tool_call"],
    "roles": ["mira"],
    "cap": {"minor": 5000, "currency": "IDR"},
    "ends_at": "2026-04-02T00:00:00Z",
}
SOON = 1775001600  # 2026-04-01T00:00:00Z
SAID: dict[str, Any] = {
    "tier": "R1",
    "kind": "tool_call",
    "role_id": "mira",
    "money": {"minor": "5000", "currency": "IDR"},
}
CLAIMS: dict[str, Any] = {"mandate": "m1", "iat": SOON, "decision": "approve"}


def granted(terms: dict[str, Any], mandate_id: str = "m1") -> Mandates:
    mandates = Mandates(whole=True)
    digest = sha256(canonical_bytes(terms)).hexdigest()
    data = {"mandate": terms, "mandate_id": mandate_id, "terms_digest": digest, "approval_id": "a"}
    mandates.grant(data, {"policy": digest, "approval": "a"})
    return mandates


def test_what_lies_inside_holds() -> None:
    assert granted(TERMS).covers(CLAIMS, "budi", SAID)
    assert granted(TERMS).covers(CLAIMS | {"decision": "reject"}, "budi", SAID | {"tier": "R2"})


@pytest.mark.parametrize(
    ("terms", "claims", "said"),
    [
        ({}, {"mandate": None}, {}),
        ({}, {"mandate": "m2"}, {}),
        ({}, {"iat": SOON + 90_000}, {}),
        ({"person": "ani"}, {}, {}),
        ({"rol": "founder"}, {}, {}),
        ({}, {}, {"tier": "R2"}),
        ({}, {}, {"kind": "hire"}),
        ({}, {}, {"role_id": "sari"}),
        ({}, {}, {"money": {"minor": "5001", "currency": "IDR"}}),
        ({}, {}, {"money": {"minor": "1", "currency": "USD"}}),
        ({"cap": None}, {}, {}),
    ],
)
def test_what_lies_outside_is_found(terms: dict[str, Any], claims: dict[str, Any], said: dict[str, Any]) -> None:
    with pytest.raises(Broken):
        granted(TERMS | terms).covers(CLAIMS | claims, "budi", SAID | said)


def test_an_ended_or_replaced_mandate_is_not_in_force() -> None:
    mandates = granted(TERMS)
    mandates.end({"mandate_id": "m1"})
    with pytest.raises(Broken, match="not in force"):
        mandates.covers(CLAIMS, "budi", SAID)


def test_terms_that_nobody_signed_are_found() -> None:
    digest = sha256(canonical_bytes(TERMS)).hexdigest()
    wider = TERMS | {"tiers": ["R1", "R2"]}
    data = {"mandate": wider, "mandate_id": "m1", "terms_digest": digest, "approval_id": "a"}
    with pytest.raises(Broken, match="signed"):
        Mandates(whole=True).grant(data, {"policy": digest, "approval": "a"})


def test_from_a_part_of_the_ledger_an_unknown_mandate_is_left_open() -> None:
    assert not Mandates(whole=False).covers(CLAIMS, "budi", SAID)
