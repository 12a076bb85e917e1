"""Where the values of a call can have come from: the journal, the ticket and its files, as the gate wants them.

Pure: the gate at execution time, the check of a proposal and the backtest of a boundary all build it here.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from app.canon.contract import AnyOf, KnownParty, Terms
from app.canon.provenance import Provenance, Reading, Trusted
from app.canon.tool import Arguments, InputFile, ToolSpec
from app.canon.values import texts_at
from app.canon.written import stands_in
from app.execution_graph.journal import decode_answer
from app.execution_graph.model import Step
from app.work_queue import Ticket

SHORTEST_STEM = 4


class Sources(msgspec.Struct, frozen=True):
    """All that a call's values can have come from. `files` are those in hand; `texts` holds the text of those that
    `needed_texts` names; `parties` are addresses of signed parties; `steps` are the journal up to the call; `inherited`
    is what was read of secrets in the work that the ticket was opened in."""

    ticket: Ticket
    terms: Terms
    parties: tuple[str, ...]
    files: tuple[InputFile, ...]
    texts: Mapping[str, str]
    steps: Sequence[Step]
    inherited: Sequence[Step] = ()


def goes_outward(tool: ToolSpec) -> bool:
    """The call can carry something to a place: then it matters what was read, and what it attaches."""
    return bool(tool.destinations or tool.text or tool.attachments)


def asks_parties(tool: ToolSpec, terms: Terms) -> bool:
    """Whether the decision on this tool can depend on known parties."""
    rules = [rule for rule in terms.boundary.tools if rule.tool == tool.name]
    constraints = [one for rule in rules for argument in rule.arguments for one in argument.constraints]
    return goes_outward(tool) or any(isinstance(one, KnownParty | AnyOf) for one in constraints)


def needed_texts(tool: ToolSpec, arguments: Arguments, files: Iterable[InputFile]) -> tuple[InputFile, ...]:
    """Files whose text the decision reads: the trusted ones, and those that would leave with the call."""
    leaving = _attached_names(tool, arguments)
    return tuple(file for file in files if file.trusted or file.name in leaving)


def provenance_of(tool: ToolSpec, arguments: Arguments, sources: Sources) -> Provenance:
    """What the gate is told of trusted words, readings and attached documents."""
    trusted = trusted_words(sources)
    if not goes_outward(tool):
        return Provenance(trusted)
    names = _attached_names(tool, arguments)
    attached = [file for file in sources.files if file.name in names]
    return Provenance(
        trusted,
        (*readings_of(sources.steps), *_before(sources.inherited)),
        {file.name: sources.texts.get(file.name, "") for file in attached},
        tuple(file.name for file in attached if _asked_for(file, sources.ticket)),
        tuple(file.name for file in attached if file.secret),
    )


def trusted_words(sources: Sources) -> Trusted:
    """What the founder wrote. The text of a ticket that a worker opened is none of it."""
    ticket, terms = sources.ticket, sources.terms
    role = f"{terms.job_description}\n{_written_procedure(terms)}"
    files = tuple(sources.texts.get(file.name, "") for file in sources.files if file.trusted)
    if not ticket.founder_wrote:
        return Trusted("", {}, role, sources.parties, files)
    return Trusted(f"{ticket.title}\n{ticket.instructions}", ticket.fields, role, sources.parties, files)


def _written_procedure(terms: Terms) -> str:
    """The procedure's own words: the founder signed them with the role."""
    steps = terms.engine.procedure
    return "\n".join(text for step in steps for name in step.arguments for text in texts_at(step.arguments, name))


def readings_of(steps: Sequence[Step]) -> tuple[Reading, ...]:
    """What tools told the worker in this run, in order: untrusted."""
    return tuple(
        Reading(step.step, step.name, _told(step), step.secret)
        for step in steps
        if step.kind == "tool" and step.state == "done" and step.effect != "local" and step.answer is not None
    )


def _before(steps: Sequence[Step]) -> tuple[Reading, ...]:
    return tuple(msgspec.structs.replace(reading, step=None) for reading in readings_of(steps))


def _told(step: Step) -> str:
    answer = decode_answer(step.answer or "")
    if answer.data is None:
        return answer.content
    return f"{answer.content}\n{msgspec.json.encode(answer.data).decode()}"


def reads_secrets(tool: ToolSpec, arguments: Arguments, files: Iterable[InputFile]) -> bool:
    """What this call brings is secret: the tool's answers are, or it reads a file that was marked so."""
    if tool.secret:
        return True
    names = {name for path in tool.data for name in texts_at(arguments, path)}
    return any(file.secret and (tool.reads_any_file or file.name in names) for file in files)


def _attached_names(tool: ToolSpec, arguments: Arguments) -> frozenset[str]:
    return frozenset(name for path in tool.attachments for name in texts_at(arguments, path))


def _asked_for(file: InputFile, ticket: Ticket) -> bool:
    """The founder attached this very file and names it in the ticket, so what stands in it may leave as it is."""
    if not (file.attached and ticket.founder_wrote):
        return False
    stem = file.name.rpartition(".")[0]
    names = (file.name, stem) if len(stem) >= SHORTEST_STEM else (file.name,)
    return any(stands_in(name, (ticket.title, ticket.instructions, *ticket.fields.values())) for name in names)
