"""The Copilot for a program: which questions the ledger answers, and free ones to the model."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from app.auth import require
from app.canon.errors import Conflict, Invalid
from app.canon.vocabulary import Rol
from app.founder_console.copilot.asking import MOST_CHARACTERS, Proposal
from app.founder_console.copilot.brief import Sentence
from app.founder_console.copilot.pages import ask_model
from app.founder_console.copilot.questions import DAYS as SPANS
from app.founder_console.copilot.questions import QUESTIONS, Asked, Name, Question, answer, question_of
from app.founder_console.model import Language
from app.founder_console.naming import Naming
from app.founder_console.readers import read_for
from app.founder_console.visits import Caller
from app.postgres import Transaction
from app.problems import documented

TAGS = ["console"]


class Offered(msgspec.Struct, frozen=True):
    """A question that can be asked, in both languages, and which parameters it takes."""

    question: Name
    text: dict[Language, str]
    of_worker: bool
    over_days: bool


class AnsweredSentence(msgspec.Struct, frozen=True):
    """One sentence of an answer, and the ids of the events that bear it out."""

    text: dict[Language, str]
    sources: tuple[UUID, ...]
    more: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`written_by` is `ledger`, or the model's name. `dropped` counts sentences of a model without a source. The
    ticket of a `proposal` begins with a card: nothing is done before a founder approves it."""

    written_by: str
    sentences: tuple[AnsweredSentence, ...]
    dropped: int = 0
    proposal: Proposal | None = None
    ticket_id: UUID | None = None


class FreeQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]
    language: Language = "en"


@get(
    "/questions",
    tags=TAGS,
    summary="What can be asked without a model",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def questions(request: Caller, tx: NamedDependency[Transaction]) -> tuple[Offered, ...]:
    reading = await read_for(request, tx)
    return tuple(_offered(one, reading.namings) for one in QUESTIONS)


def _offered(question: Question, namings: dict[Language, Naming]) -> Offered:
    texts = {language: naming.words(f"ask.{question.name}") for language, naming in namings.items()}
    return Offered(question.name, texts, question.of_worker, question.over_days)


@get(
    "/answer",
    tags=TAGS,
    summary="An answer that the ledger gives by itself",
    description="`days` is 1, 7 or 30 and counts today. Every sentence names its events.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def answer_api(
    request: Caller,
    tx: NamedDependency[Transaction],
    question: FromQuery[str],
    role_id: FromQuery[UUID | None] = None,
    days: FromQuery[int] = 7,
) -> Answer:
    reading = await read_for(request, tx)
    found = question_of(question)
    if found is None or days not in SPANS:
        raise Invalid("ask one of GET /console/questions, over 1, 7 or 30 days", code="ask.unknown")
    asked = Asked(name=found.name, role_id=role_id, days=days)
    told = {language: await answer(tx, reading.figures, naming, asked) for language, naming in reading.namings.items()}
    pairs = zip(told["id"], told["en"], strict=True)
    return Answer(
        written_by="ledger",
        sentences=tuple(_sentence({"id": one.text, "en": other.text}, one) for one, other in pairs),
    )


def _sentence(text: dict[Language, str], sentence: Sentence) -> AnsweredSentence:
    return AnsweredSentence(text, tuple(source.event_id for source in sentence.sources), sentence.more)


@post(
    "/ask",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="A free question to the Copilot's model",
    description="The model reads through the same questions and changes nothing; a sentence that no event bears out is "
    "dropped. What it would have done is a `proposal`: its ticket waits on a card.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
)
async def ask_api(request: Caller, data: JSONBody[FreeQuestion]) -> Answer:
    require(request.auth, Rol.FOUNDER, Rol.DEPUTY)
    if request.app.state.model is None:
        said = "no model is set: ask one of GET /console/questions, or set FLR_MODEL_BASE_URL"
        raise Conflict(said, code="model.none")
    async with request.app.state.database.transaction(request.auth.tid) as tx:
        reading = await read_for(request, tx)
    reply = await ask_model(request, reading.namings[data.language], data.text)
    if reply.failure is not None:
        raise Conflict(str(reply.failure), code=reply.failure.code, **reply.failure.data)
    return Answer(
        written_by=request.app.state.settings.model_name,
        sentences=tuple(_sentence({data.language: one.text}, one) for one in reply.sentences),
        dropped=reply.dropped,
        proposal=reply.proposal,
        ticket_id=None if reply.ticket is None else reply.ticket.id,
    )


API = (questions, answer_api, ask_api)
