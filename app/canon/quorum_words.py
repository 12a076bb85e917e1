"""A company's quorum in sentences: what is shown, asked and signed, in both languages."""

from collections.abc import Mapping

from app.canon.amounts import Language, money_phrase
from app.canon.quorum import CompanyQuorum, QuorumLine
from app.canon.vocabulary import Tier

_TIERS: Mapping[Language, Mapping[Tier, str]] = {
    "en": {Tier.R1: "Low risk", Tier.R2: "High risk"},
    "id": {Tier.R1: "Risiko rendah", Tier.R2: "Risiko tinggi"},
}


def quorum_sentences(quorum: CompanyQuorum, language: Language) -> list[str]:
    """A sentence for each line."""
    if not quorum.lines:
        return ["One person decides." if language == "en" else "Satu orang memutuskan."]
    return [_sentence(line, language) for line in quorum.lines]


def _sentence(line: QuorumLine, language: Language) -> str:
    if language == "en":
        who = "founders" if line.founders else "people"
        said, above = f"{line.count} {who} must agree.", "Only above {amount}."
    else:
        who = "pendiri" if line.founders else "orang"
        said, above = f"{line.count} {who} harus setuju.", "Hanya di atas {amount}."
    whole = f"{_TIERS[language][line.tier]}: {said}"
    return whole if line.above is None else f"{whole} {above.format(amount=money_phrase(line.above, language))}"


def quorum_question(quorum: CompanyQuorum) -> dict[str, str]:
    """What the founders are asked and sign."""
    if not quorum.lines:
        return {
            "en": "End the quorum? One person then decides every question.",
            "id": "Akhiri kuorum? Satu orang lalu memutuskan setiap pertanyaan.",
        }
    lines = {language: " ".join(quorum_sentences(quorum, language)) for language in _TIERS}
    return {
        "en": f"Let this hold for every question from now on? {lines['en']}",
        "id": f"Berlakukan ini untuk setiap pertanyaan mulai sekarang? {lines['id']}",
    }
