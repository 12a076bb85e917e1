"""The Copilot's model: metered and recorded like any other call, and never believed without a source.

It is given facts with names (`F1`, `F2`, ...) and may only repeat them: a sentence that cites no fact it was given, or
that holds a number none of its facts holds, is dropped. It reads through the questions alone, and what it would do is a
proposal that a founder confirms.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.model import ModelAnswer, ModelClient, ModelFailed, ModelRequest
from app.canon.vocabulary import Principal, new_id
from app.founder_console.copilot.brief import Sentence
from app.founder_console.counts import Source
from app.governance_ledger import Event, append, keep_evidence
from app.postgres import Database
from app.role_registry import Short, Want, reserve, settle

MOST_SENTENCES = 6
MOST_TOKENS = 900
_NUMBER = re.compile(r"\d[\d.,:]*")


class Written(msgspec.Struct, frozen=True):
    """What a model may write: text, and the facts that bear it out."""

    text: str
    facts: tuple[str, ...] = ()


class Checked(msgspec.Struct, frozen=True):
    """`sentences` are borne out; `dropped` counts those that were not."""

    sentences: tuple[Sentence, ...]
    dropped: int


class Facts:
    """Facts under the names that a model cites them by, in the order in which they were given."""

    def __init__(self) -> None:
        self.by_name: dict[str, Sentence] = {}

    def add(self, sentences: Sequence[Sentence]) -> str:
        """One line for each new fact, as the model reads it. A fact that is known keeps its name."""
        lines = []
        for sentence in sentences:
            known = next((name for name, one in self.by_name.items() if one == sentence), None)
            name = known or f"F{len(self.by_name) + 1}"
            self.by_name[name] = sentence
            lines.append(f"{name}: {sentence.text}")
        return "\n".join(lines)

    def check(self, written: Sequence[Written]) -> Checked:
        """What stands of what was written. Pure."""
        kept = [sentence for one in written[:MOST_SENTENCES] if (sentence := self._borne_out(one)) is not None]
        return Checked(tuple(kept), len(written) - len(kept))

    def _borne_out(self, one: Written) -> Sentence | None:
        text = re.sub(r"\s*[\[(]F\d+(?:\s*,\s*F\d+)*[\])]", "", one.text).strip()
        cited = [self.by_name[name] for name in dict.fromkeys(one.facts) if name in self.by_name]
        if not text or not cited or len(cited) != len(set(one.facts)):
            return None
        said = {_digits(number) for fact in cited for number in _NUMBER.findall(fact.text)}
        if any(_digits(number) not in said for number in _NUMBER.findall(text)):
            return None
        sources: dict[UUID, Source] = {source.event_id: source for fact in cited for source in fact.sources}
        return Sentence("model", text[:600], tuple(sources.values()), cited[0].more)


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)


class Secretary:
    """Asks the model for one founder of one company; every call is reserved, recorded and settled.

    The company's own budget pays, the one that also pays for routing.
    """

    def __init__(self, database: Database, model: ModelClient, by: Principal) -> None:
        self._database = database
        self._model = model
        self._by = by
        self._call = new_id()
        self._step = 0

    async def ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The message that the model answers with. Raises `ModelFailed`: also where the budget has nothing left."""
        request = ModelRequest({**body, "max_tokens": MOST_TOKENS})
        self._step += 1
        await self._reserve(request)
        answer, failure = None, None
        try:
            answer = await self._model.complete(request)
        except ModelFailed as error:
            failure = error
        await self._record(request, answer, failure)
        if answer is None:
            raise failure or ModelFailed("the model gave no answer", code="model.silent")
        choices: Any = answer.body["choices"]
        message: dict[str, Any] = choices[0]["message"]
        return message

    async def _reserve(self, request: ModelRequest) -> None:
        cost, tokens = self._model.worst_case_usd_micros(request), self._model.worst_case_tokens(request)
        wants = [Want("tokens", tokens)] if cost is None else [Want("usd_micros", cost), Want("tokens", tokens)]
        async with self._database.transaction(self._by.tid) as tx:
            reserved = await reserve(
                tx, role_id=None, ticket_id=self._call, run_id=self._call, step=self._step, wants=wants
            )
        if isinstance(reserved, Short):
            said = f"the company's own budget has no {reserved.unit} left for this {reserved.period}"
            raise ModelFailed(said, code="model.budget")

    def _used(self, request: ModelRequest, answer: ModelAnswer | None, failure: ModelFailed | None) -> tuple[int, int]:
        """Cost and tokens; the worst case for a call that was begun and came to nothing."""
        if answer is not None:
            return answer.cost_usd_micros or 0, answer.input_tokens + answer.output_tokens
        if failure is None or not failure.billed:
            return 0, 0
        return self._model.worst_case_usd_micros(request) or 0, self._model.worst_case_tokens(request)

    async def _record(self, request: ModelRequest, answer: ModelAnswer | None, failure: ModelFailed | None) -> None:
        cost, tokens = self._used(request, answer, failure)
        error = "" if failure is None else str(failure)[:2000]
        document = {"request": request.body, "answer": None if answer is None else answer.body, "error": error}
        async with self._database.transaction(self._by.tid) as tx:
            spent = {"usd_micros": cost, "tokens": tokens}
            await settle(tx, run_id=self._call, step=self._step, spent=spent)
            evidence = await keep_evidence(
                tx, msgspec.json.encode(document), media_type="application/json", name="copilot.json"
            )
            data: dict[str, object] = {
                "asked_model": request.model or "",
                "beat": "copilot",
                "request_digest": digest(msgspec.to_builtins(request.body)),
                "role_id": None,
                "role_version": None,
                "policy": None,
                "model": None if answer is None else answer.model,
                "input_tokens": 0 if answer is None else answer.input_tokens,
                "output_tokens": 0 if answer is None else answer.output_tokens,
                "tokens": tokens,
                "cost_usd_micros": cost,
                "priced": answer is not None and answer.cost_usd_micros is not None,
                "scripted": self._model.scripted,
                "attempts": 1,
                "error": error,
            }
            what = "failed" if answer is None else "done"
            await append(tx, Event(type=f"model.{what}", actor=self._by.actor, data=data, evidence=(evidence,)))
