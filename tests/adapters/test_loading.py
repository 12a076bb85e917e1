"""Engines are named in one closed table and loaded when a role binds them, not before (Law 18)."""

import subprocess
import sys

import pytest

from app.adapters.agents import FrameworkMissing, UnknownEngine, engines, load_backbone, load_router, load_worker

FRAMEWORKS = ("langgraph", "langchain_core", "smolagents", "agents", "openai", "genai_prices")


def in_a_fresh_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", engines("worker"))
def test_each_worker_loads_under_its_name(name: str) -> None:
    assert load_worker(name).name == name


@pytest.mark.parametrize("name", engines("router"))
def test_each_router_loads_under_its_name(name: str) -> None:
    assert load_router(name).name == name


@pytest.mark.parametrize("name", engines("backbone"))
def test_each_backbone_loads_under_its_name_and_connects_to_nothing(name: str) -> None:
    assert load_backbone(name, database_url="postgresql://nobody@localhost:1/nowhere").name == name


def test_an_unknown_engine_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(
        UnknownEngine, match=r"no worker 'crewai': choose external, openai_agents, procedure, smolagents"
    ):
        load_worker("crewai")
    with pytest.raises(UnknownEngine, match="no router"):
        load_router("app.main:App")
    with pytest.raises(UnknownEngine, match="no backbone"):
        load_backbone("os", database_url="")


@pytest.mark.parametrize(
    ("load", "framework"),
    [
        ("load_worker('smolagents')", "smolagents"),
        ("load_worker('openai_agents')", "agents"),
        ("load_router('openai_agents')", "agents"),
        ("load_backbone('langgraph', database_url='')", "langgraph"),
    ],
)
def test_a_missing_framework_is_named_with_what_to_do(load: str, framework: str) -> None:
    said = in_a_fresh_process(
        f"import sys; sys.modules[{framework!r}] = None\n"
        "from app.adapters.agents import *\n"
        f"try: {load}\n"
        "except FrameworkMissing as missing: print(missing.framework, '|', missing)"
    )
    assert said.startswith(f"{framework} | ")
    assert "bind the role to another" in said


def test_the_engines_that_need_no_framework_load_where_none_can_be_imported() -> None:
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in FRAMEWORKS)
    said = in_a_fresh_process(
        f"import sys\n{hidden}"
        "from app.adapters.agents import *\n"
        "print(load_worker('procedure').name, load_router('rules').name, load_backbone('plain', database_url='').name)"
    )
    assert said == "procedure rules plain"


def test_knowing_the_engines_imports_no_framework() -> None:
    loaded = in_a_fresh_process(
        "import sys, app.adapters.agents, app.adapters.models.openai_compatible, app.adapters.models.scripted_server\n"
        f"print([name for name in {FRAMEWORKS!r} if name in sys.modules])"
    )
    assert loaded == "[]"


def test_a_missing_framework_is_an_error_that_names_it() -> None:
    error = FrameworkMissing("worker", "smolagents", "smolagents")
    assert (error.kind, error.name, error.framework) == ("worker", "smolagents", "smolagents")
