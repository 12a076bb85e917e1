"""One proposed call as a sentence, in the words of its tool's adapter; the values in it are shown by code."""

import re
from collections.abc import Mapping

from app.canon.amounts import Language, money_phrase
from app.canon.sentences import Labels
from app.canon.tool import ToolSpec
from app.canon.values import shown, texts_at
from app.canon.vocabulary import Money

MOST_VALUES = 4
_PLACE = re.compile(r"\{(\w+)\}")
_MORE: Mapping[Language, str] = {"en": " and {} more", "id": " dan {} lagi"}


def tool_label(tool: ToolSpec | None, name: str, language: Language) -> str:
    """How people call the tool, `send e-mail`; its bare name where its adapter has no words for it."""
    words = tool.words.get(language) if tool is not None else None
    return name if words is None else words.label


def labels_of(tools: Mapping[str, ToolSpec], language: Language) -> Labels:
    """What each tool does, by its name; those without words of their own are left out."""
    return {name: tool.words[language].label for name, tool in tools.items() if language in tool.words}


def act_sentence(tool: ToolSpec, arguments: Mapping[str, object], money: Money | None, language: Language) -> str:
    """What the call would do: `Pay Rp12,105,000 to PT Sumber Kopi Gayo, account 5220304412.`

    Without words of the adapter: the tool's name, the amount and the destinations.
    """
    words = tool.words.get(language)
    if words is None:
        return _plain(tool, arguments, money, language)

    def value(place: re.Match[str]) -> str:
        if place[1] == "money":
            return "?" if money is None else money_phrase(money, language)
        return _values(arguments, place[1], language) or "–"

    return _PLACE.sub(value, words.act)


def _plain(tool: ToolSpec, arguments: Mapping[str, object], money: Money | None, language: Language) -> str:
    named = [values for path in tool.destinations if (values := _values(arguments, path, language))]
    opening, worth, to = ("Use", "for", "to") if language == "en" else ("Pakai", "senilai", "ke")
    parts = [f"{opening} {tool.name}"]
    parts += [f"{worth} {money_phrase(money, language)}"] if money is not None else []
    parts += [f"{to} {', '.join(named)}"] if named else []
    return " ".join(parts) + "."


def _values(arguments: Mapping[str, object], path: str, language: Language) -> str:
    found = [shown(text) for text in texts_at(arguments, path)]
    more = _MORE[language].format(len(found) - MOST_VALUES) if len(found) > MOST_VALUES else ""
    return ", ".join(found[:MOST_VALUES]) + more
