"""A verdict for people: what would happen, why, and what would pass, in both languages."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec

from app.canon.acts import act_sentence, labels_of
from app.canon.amounts import Language
from app.canon.facts import Fact
from app.canon.gate import Allow, Hold, Proposal, Refuse, Verdict
from app.canon.reasons import reason_sentence
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money, Tier

Word: TypeAlias = Literal["allow", "hold", "refuse"]
Sentences: TypeAlias = dict[str, tuple[str, ...]]

LANGUAGES: tuple[Language, ...] = ("en", "id")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """`tier` is a hold's, `law` a refusal's, `rule` what let an allowed call pass. `facts` are all the reasons, the
    gravest first. `sentences` maps `en` and `id` to the act, the verdict, then one sentence for each reason."""

    verdict: Word
    tier: Tier | None
    law: str | None
    rule: str | None
    facts: tuple[Fact, ...]
    money: Money | None
    sentences: Sentences


def shown_verdict(verdict: Verdict, proposal: Proposal, tools: Mapping[str, ToolSpec]) -> Shown:
    match verdict:
        case Allow(rule, money):
            return _shown("allow", (), verdict, proposal, tools, rule=rule, money=money)
        case Hold(tier, _, facts, money):
            return _shown("hold", facts, verdict, proposal, tools, tier=tier, money=money)
        case Refuse(law, _, facts):
            return _shown("refuse", facts, verdict, proposal, tools, law=law)
        case _:
            assert_never(verdict)


def _shown(
    word: Word,
    facts: tuple[Fact, ...],
    verdict: Verdict,
    proposal: Proposal,
    tools: Mapping[str, ToolSpec],
    *,
    tier: Tier | None = None,
    law: str | None = None,
    rule: str | None = None,
    money: Money | None = None,
) -> Shown:
    return Shown(
        verdict=word,
        tier=tier,
        law=law,
        rule=rule,
        facts=facts,
        money=money,
        sentences={
            language: (
                act_sentence(proposal.tool, proposal.arguments, money, language),
                outcome_sentence(word, tier, language),
                *reasons(verdict, proposal.tool.name, tools, language),
            )
            for language in LANGUAGES
        },
    )


_OUTCOMES: Mapping[tuple[Word, Tier | None], tuple[str, str]] = {
    ("allow", None): ("It would be done without asking.", "Akan dilakukan tanpa bertanya."),
    ("hold", Tier.R1): (
        "It would wait for a human: one tap (R1).",
        "Akan menunggu manusia: satu ketukan (R1).",
    ),
    ("hold", Tier.R2): (
        "It would wait for the founder's own key (R2).",
        "Akan menunggu kunci pendiri sendiri (R2).",
    ),
    ("refuse", None): ("It would be refused; nobody is asked.", "Akan ditolak; tidak ada yang ditanya."),
}


def outcome_sentence(word: Word, tier: Tier | None, language: Language) -> str:
    return _OUTCOMES[word, tier][0 if language == "en" else 1]


def reasons(verdict: Verdict, tool: str, tools: Mapping[str, ToolSpec], language: Language) -> tuple[str, ...]:
    """One sentence for each fact; none for an allowed call."""
    labels = labels_of(tools, language)
    facts = () if isinstance(verdict, Allow) else verdict.facts
    return tuple(reason_sentence(fact, tool, language, labels) for fact in facts)
