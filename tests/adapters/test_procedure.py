"""A written procedure: templates over earlier results, conditions, loops, and a clear word when it cannot go on."""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.agents.procedure import ProcedureWorker, fill
from app.canon.agent import Finished
from app.canon.contract import ProcedureStep
from app.canon.tool import Arguments, ToolAnswer
from tests.adapters.step_driver import Driver, Files, Journal, a_plain_tool, a_task

Perform = Callable[[Arguments], Awaitable[ToolAnswer]]

ROWS = {"rows": [["UA", 5], ["AA", 9]], "mean": 7.5, "name": "delays"}


async def follow(
    *steps: ProcedureStep,
    fields: Mapping[str, str] | None = None,
    answers: Mapping[str, ToolAnswer] | None = None,
    max_steps: int = 20,
) -> tuple[Finished, list[tuple[str, Arguments]]]:
    """Follows the steps; `look` answers with rows, `use` with nothing, others as given."""
    known = {"look": ToolAnswer("done", "2 rows", ROWS), "use": ToolAnswer("done", "used")} | dict(answers or {})
    tools = [a_plain_tool(name, _answering(answer)) for name, answer in known.items()]
    files = Files({"a.csv": b"x\n1\n"})
    task = a_task("October", "Look and use.", fields=fields, inputs=files.files, procedure=steps, max_steps=max_steps)
    journal = Journal()
    finished = await ProcedureWorker().work(Driver(task, tools, journal))
    return finished, journal.executed


def _answering(answer: ToolAnswer) -> Perform:
    async def perform(arguments: Arguments) -> ToolAnswer:
        return answer

    return perform


LOOK = ProcedureStep(tool="look", save_as="found")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ found.rows }}", [["UA", 5], ["AA", 9]]),
        ("  {{ found.rows[0][1] }}  ", 5),
        ("{{ found.rows | length }}", 2),
        ("{{ found.rows | map(attribute=0) | list }}", ["UA", "AA"]),
        ("{{ found.rows | sum(attribute=1) }}", 14),
        ("{{ found.rows | sum(attribute=1) / 2 }}", 7),
        ("{{ found.mean }}", "7.5"),
        ("{{ found.rows[0][0] }} and {{ found.rows[1][0] }}", "UA and AA"),
        ("{% for row in found.rows %}{{ row[0] }};{% endfor %}", "UA;AA;"),
        ("{{ ticket.title }}", "October"),
        ("{{ ticket.instructions }}", "Look and use."),
        ("{{ ticket.fields.partner }}", "ada@example.org"),
        ("{{ ticket.inputs[0].name }}", "a.csv"),
        ("{{ role.name }}", "analyst"),
        ("{{ found.name == 'delays' }}", True),
        ("no template at all", "no template at all"),
        ("{{ '{{' }}", "{{"),
        (["{{ found.name }}", {"deep": ["{{ found.mean }}", 3]}], ["delays", {"deep": ["7.5", 3]}]),
        (7, 7),
    ],
)
async def test_arguments_are_filled_from_results_and_ticket(template: object, value: object) -> None:
    finished, executed = await follow(
        LOOK, ProcedureStep(tool="use", arguments={"it": template}), fields={"partner": "ada@example.org"}
    )
    assert finished.ok
    assert executed[-1] == ("use", {"it": value})


async def test_a_step_without_data_is_saved_as_what_it_said() -> None:
    _, executed = await follow(
        ProcedureStep(tool="use", save_as="said"), ProcedureStep(tool="use", arguments={"it": "{{ said }}"})
    )
    assert executed[-1] == ("use", {"it": "used"})


async def test_a_step_is_repeated_for_each_item_and_its_results_are_a_list() -> None:
    finished, executed = await follow(
        LOOK,
        ProcedureStep(
            tool="use", for_each="found.rows", arguments={"n": "{{ index }}", "who": "{{ item[0] }}"}, save_as="all"
        ),
        ProcedureStep(tool="use", arguments={"it": "{{ all | length }}"}),
    )
    assert finished.ok
    assert executed[1:] == [("use", {"n": 0, "who": "UA"}), ("use", {"n": 1, "who": "AA"}), ("use", {"it": 2})]


async def test_a_condition_chooses_among_the_items() -> None:
    _, executed = await follow(
        LOOK,
        ProcedureStep(
            tool="use", for_each="{{ found.rows }}", when="{{ item[1] > 6 }}", arguments={"who": "{{ item[0] }}"}
        ),
    )
    assert executed[1:] == [("use", {"who": "AA"})]


@pytest.mark.parametrize("when", ["ticket.fields.to", "{{ ticket.fields.to }}", "found.rows | length > 5", "false"])
async def test_a_condition_that_does_not_hold_skips_the_step(when: str) -> None:
    finished, executed = await follow(LOOK, ProcedureStep(tool="use", when=when))
    assert finished.ok
    assert [name for name, _ in executed] == ["look"]


@pytest.mark.parametrize("status", ["refused", "rejected", "expired", "withdrawn", "failed"])
async def test_what_was_not_done_ends_the_procedure_with_step_and_reason(status: str) -> None:
    answer = ToolAnswer(status, "over the cap of 5")  # type: ignore[arg-type]
    finished, executed = await follow(
        LOOK, ProcedureStep(tool="pay"), ProcedureStep(tool="use"), answers={"pay": answer}
    )
    said = f"Step 2 of 3 (pay) was {status}: over the cap of 5"
    assert finished == Finished(said, ok=False, cause=f"procedure_{status}")  # type: ignore[arg-type]
    assert [name for name, _ in executed] == ["look", "pay"]


async def test_a_step_may_say_that_it_goes_on_all_the_same() -> None:
    finished, executed = await follow(
        ProcedureStep(tool="pay", otherwise="go_on", save_as="paid"),
        ProcedureStep(tool="use", when="not paid"),
        answers={"pay": ToolAnswer("refused", "no")},
    )
    assert finished.ok
    assert [name for name, _ in executed] == ["pay", "use"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (ProcedureStep(tool="use", arguments={"it": "{{ nothing }}"}), "nothing"),
        (ProcedureStep(tool="use", arguments={"it": "{{ found.nothing.more }}"}), "nothing"),
        (ProcedureStep(tool="use", arguments={"it": "see {{ nothing }}"}), "nothing"),
        (ProcedureStep(tool="use", arguments={"it": "{{ 1 / 0 }}"}), "division by zero"),
        (ProcedureStep(tool="use", arguments={"it": "{{ found.rows + 1 }}"}), "found.rows + 1"),
        (ProcedureStep(tool="use", arguments={"it": "{{ oh no }}"}), "oh no"),
        (ProcedureStep(tool="use", arguments={"it": "{% for %}"}), "for"),
        (ProcedureStep(tool="use", when="nothing.more"), "nothing"),
        (ProcedureStep(tool="use", for_each="found.mean"), "not a list"),
        (ProcedureStep(tool="use", for_each="found.name"), "not a list"),
        (ProcedureStep(tool="use", for_each="nothing"), "nothing"),
    ],
)
async def test_a_step_that_makes_no_sense_is_named_and_not_taken(step: ProcedureStep, reason: str) -> None:
    finished, executed = await follow(LOOK, step)
    assert not finished.ok
    assert finished.summary.startswith("Step 2 of 2 (use) cannot be followed:")
    assert reason in finished.summary
    assert [name for name, _ in executed] == ["look"]


@pytest.mark.parametrize(
    "expression",
    [
        "{{ ().__class__.__bases__[0].__subclasses__() }}",
        "{{ ticket.__init__.__globals__ }}",
        "{{ found.rows.append(1) }}",
        "{{ ticket.fields.update({'to': 'x'}) }}",
        "{{ found.rows.__class__ }}",
        "x {{ ''.__class__.__mro__ }} y",
        "{{ '{0.__class__}'.format(1) }}",
    ],
)
async def test_a_template_reads_and_nothing_else(expression: str) -> None:
    finished, executed = await follow(LOOK, ProcedureStep(tool="use", arguments={"it": expression}))
    assert not finished.ok
    assert len(executed) == 1


async def test_a_loop_ends_where_the_role_says() -> None:
    many = {"rows": list(range(50))}
    finished, executed = await follow(
        ProcedureStep(tool="list", save_as="all"),
        ProcedureStep(tool="use", for_each="all.rows"),
        answers={"list": ToolAnswer("done", "", many)},
        max_steps=10,
    )
    assert not finished.ok
    assert "no more than 10 steps" in finished.summary
    assert len(executed) == 10


async def test_a_role_without_a_procedure_says_so() -> None:
    finished, executed = await follow()
    assert finished == Finished("The role has no procedure to follow.", ok=False, cause="no_procedure")
    assert executed == []


async def test_the_summary_counts_steps_and_ends_with_the_last_word() -> None:
    finished, _ = await follow(LOOK, ProcedureStep(tool="use"))
    assert finished == Finished("Followed the procedure: 2 steps, 2 calls. used", cause="followed")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="ab {}%"),
        lambda kids: st.lists(kids) | st.dictionaries(st.text("ab"), kids),
    )
)
def test_what_holds_no_template_is_left_as_it_is(value: object) -> None:
    if "{{" not in str(value) and "{%" not in str(value):
        assert fill(value, {}) == value
