"""Functions and signals of the application around a run, under any env.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app

from flask_sakyum_migrate import HookError, MigrateError, StepError, signals
from flask_sakyum_migrate.results import Step, UpgradeResult, Visit
from flask_sakyum_migrate.upgrading import postgresql
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user_and_log

from .test_runs import CUSTOM_ENV, add


@pytest.fixture(params=["generated", "custom"])
def line(request: pytest.FixtureRequest, make_project: ProjectMaker, bind_url: str) -> Project:
    """Two revisions, each with a table and a row; nothing is applied."""
    project = make_project(bind_url)
    if request.param == "custom":
        (project.path / "migrations" / "env.py").write_text(CUSTOM_ENV)
    add(project, "aa11", None, "one")
    add(project, "bb22", "aa11", "two")
    return project


def listen(project: Project) -> list[Any]:
    """Register a function for each moment; return what they are called with."""
    seen: list[Any] = []

    @project.migrate.before_upgrade
    def before_upgrade(visit: Visit) -> None:
        assert current_app.name == project.app.name
        seen.append(("before_upgrade", visit.bind, visit.before, visit.total, visit.url))

    @project.migrate.before_step
    def before_step(step: Step, connection: sa.Connection) -> None:
        assert current_app.name == project.app.name
        tables = set(sa.inspect(connection).get_table_names()) & {"one", "two"}
        seen.append(("before_step", step.direction, step.revision, sorted(tables)))

    @project.migrate.after_step
    def after_step(step: Step, connection: sa.Connection) -> None:
        assert current_app.name == project.app.name and connection.in_transaction()
        assert (step.number, step.total, step.bind) in ((1, 2, "default"), (2, 2, "default"))
        tables = set(sa.inspect(connection).get_table_names()) & {"one", "two"}
        seen.append(("after_step", step.direction, step.revision, sorted(tables)))

    @project.migrate.after_upgrade
    def after_upgrade(result: UpgradeResult) -> None:
        assert current_app.name == project.app.name
        seen.append(("after_upgrade", [step.revision for step in result.steps]))

    return seen


def test_each_moment(line: Project) -> None:
    seen = listen(line)
    line.repository.upgrade()
    shown = line.engine().url.render_as_string(hide_password=True)
    assert seen == [
        ("before_upgrade", "default", (), 2, shown),
        ("before_step", "upgrade", "aa11", []),
        ("after_step", "upgrade", "aa11", ["one"]),
        ("before_step", "upgrade", "bb22", ["one"]),
        ("after_step", "upgrade", "bb22", ["one", "two"]),
        ("after_upgrade", ["aa11", "bb22"]),
    ]
    del seen[:]
    line.repository.upgrade()
    assert seen == []
    line.repository.downgrade("base")
    assert [one[:3] for one in seen] == [
        ("before_step", "downgrade", "bb22"),
        ("after_step", "downgrade", "bb22"),
        ("before_step", "downgrade", "aa11"),
        ("after_step", "downgrade", "aa11"),
    ]
    del seen[:]
    line.repository.stamp()
    assert seen == []


def test_signals_are_sent_after_the_functions(line: Project) -> None:
    seen: list[Any] = []
    line.migrate.before_step(lambda step, connection: seen.append("function"))

    def note(name: str) -> Any:
        def receive(app: Any, **given: Any) -> None:
            assert app is line.app
            seen.append((name, *sorted(given)))

        return receive

    moments = ("before_upgrade", "before_step", "after_step", "after_upgrade")
    receivers = [note(name) for name in moments]
    for name, receiver in zip(moments, receivers, strict=True):
        getattr(signals, name).connect(receiver, line.app)
    line.repository.upgrade("+1")
    assert seen == [
        ("before_upgrade", "visit"),
        "function",
        ("before_step", "connection", "step"),
        ("after_step", "connection", "step"),
        ("after_upgrade", "result"),
    ]


def test_before_upgrade_stops_it_and_nothing_is_lost(line: Project) -> None:
    line.repository.upgrade("aa11")

    @line.migrate.before_upgrade
    def check_space(visit: Visit) -> None:
        raise OSError("the disk is full")

    result = line.flask("upgrade")
    assert result.exit_code == 1
    number = check_space.__code__.co_firstlineno + 2
    assert result.stderr.endswith(
        "Error: before_upgrade: check_space() failed: OSError: the disk is full\n"
        f"  {__file__}, line {number}\n"
        "Nothing was upgraded on this database.\n"
    )
    assert [one.heads for one in line.repository.current()] == [("aa11",)]
    assert rows(line, "one") == [1] and "two" not in line.tables()


@pytest.mark.parametrize("moment", ["before_step", "after_step"])
def test_a_step_is_taken_back_with_its_function(line: Project, moment: str) -> None:
    line.repository.upgrade("aa11")

    def audit(step: Step, connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE one SET id = 2"))
        raise LookupError("no auditor")

    getattr(line.migrate, moment)(audit)
    with pytest.raises(HookError, match=f"{moment}: audit.. failed: LookupError: no aud") as info:
        line.repository.upgrade()
    assert info.value.function == "audit" and info.value.path == __file__
    assert [one.heads for one in line.repository.current()] == [("aa11",)]
    if line.engine().dialect.name == "postgresql":
        assert info.value.hint == "The revision was rolled back."
    if info.value.hint == "The revision was rolled back.":
        assert rows(line, "one") == [1] and "two" not in line.tables()
    else:
        assert info.value.hint == "What the revision has done stays."
        assert ("two" in line.tables()) == (moment == "after_step")


def test_what_after_step_writes_is_committed_with_the_step(line: Project) -> None:
    @line.migrate.after_step
    def count(step: Step, connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE one SET id = id + 1"))

    add(line, "cc33", "bb22", "three", more="raise ValueError('no')")
    with pytest.raises(StepError):
        line.repository.upgrade()
    applied = {"aa11": 2, "bb22": 3}
    heads = line.repository.current()[0].heads
    assert rows(line, "one") == [applied[heads[0]]] if heads else "one" not in line.tables()


def test_a_function_that_refuses_in_its_own_words(line: Project) -> None:
    @line.migrate.before_upgrade
    def weekend(visit: Visit) -> None:
        raise MigrateError("Not on a Saturday.", "Wait for Monday.")

    result = line.flask("upgrade")
    assert result.stderr.endswith("Error: Not on a Saturday.\nWait for Monday.\n")


def test_after_upgrade_fails_and_the_upgrade_stays(line: Project) -> None:
    @line.migrate.after_upgrade
    def tell(result: UpgradeResult) -> None:
        raise ConnectionError("the chat does not answer")

    result = line.flask("upgrade")
    assert result.exit_code == 1
    assert "after_upgrade: tell() failed: ConnectionError: the chat" in result.stderr
    assert result.stderr.endswith("The upgrade itself is done.\n")
    assert [one.heads for one in line.repository.current()] == [("bb22",)]


def rows(project: Project, table: str) -> list[int]:
    with project.engine().connect() as connection:
        return list(connection.execute(sa.text(f"SELECT id FROM {table}")).scalars())


# ---- how often -------------------------------------------------------------------------------


def test_once_for_each_database(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    project = make_project(
        make_database("sqlite"), binds={"logs": make_database("sqlite")}, models=define_user_and_log
    )
    project.repository.revision("create", autogenerate=True)
    seen: list[str] = []
    project.migrate.before_upgrade(lambda visit: seen.append(visit.bind))
    project.migrate.after_upgrade(lambda result: seen.append(f"{len(result.steps)} steps"))
    project.repository.upgrade()
    assert seen == ["default", "logs", "2 steps"]


def test_once_although_the_run_is_tried_again(
    make_project: ProjectMaker, make_database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision that waits for a lock is rolled back and tried again: PostgreSQL."""
    monkeypatch.setattr(postgresql, "own_backends", frozenset)  # the reader is somebody else
    url = make_database("postgresql")
    project = make_project(url)
    add(project, "aa11", None, "one")
    add(project, "bb22", "aa11", "two", more='op.execute("ALTER TABLE one ADD COLUMN n INT")')
    project.repository.upgrade("aa11")
    seen: list[str] = []
    engine = sa.create_engine(url)
    with engine.connect() as reader:
        reader.execute(sa.text("SELECT * FROM one"))

        @project.migrate.before_upgrade
        def before(visit: Visit) -> None:
            seen.append("before_upgrade")

        @project.migrate.before_step
        def step(step: Step, connection: sa.Connection) -> None:
            seen.append("before_step")
            if len(seen) > 2:
                reader.rollback()

        project.repository.upgrade()
    engine.dispose()
    assert seen[0] == "before_upgrade" and seen.count("before_upgrade") == 1
    assert seen.count("before_step") == 2
    assert [run.revision for run in project.repository.runs()] == ["bb22", "aa11"]


def test_it_is_called_when_the_lock_is_held(
    make_project: ProjectMaker, url: str, tmp_path: Path
) -> None:
    project = make_project(url)
    add(project, "aa11", None, "one")
    lock = Path(f"{sa.make_url(url).database}.migrate-lock")
    held: list[bool] = []
    project.migrate.before_upgrade(lambda visit: held.append(lock.exists()))
    project.repository.upgrade()
    assert held == [True] and not lock.exists()


def test_two_applications_with_one_migrate(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url)
    assert project.migrate.before_step(print) is print
    assert project.migrate.hooks.before_step == (print,)
    assert len(project.repository.hooks.before_step) == 2  # the signal comes after
    assert project.migrate.hooks.before_step == (print,)
