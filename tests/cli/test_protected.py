"""Databases that lose nothing unless a person says yes: ``MIGRATE_PROTECTED``."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import flask_sakyum_migrate
from flask_sakyum_migrate import RefusedError
from flask_sakyum_migrate.results import Question
from tests.conftest import Project

from .conftest import APP, add_table, rows, run_flask, snapshot

CUSTOM_ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture(params=["generated", "custom"])
def top(request: pytest.FixtureRequest, line: Project) -> Project:
    """Three revisions, all applied, with a row, on a database that is protected."""
    line.app.config["MIGRATE_PROTECTED"] = True
    if request.param == "custom":
        (line.path / "migrations" / "env.py").write_text(CUSTOM_ENV)
    result = line.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    with line.engine().begin() as connection:
        connection.execute(sa.text("INSERT INTO one VALUES (1)"))
    return line


def test_without_a_terminal_it_says_what_to_type(top: Project, url: str, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = top.flask("downgrade", "-2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {url} is protected, and this would take back 2 revisions: cc33, bb22. "
        "Nothing was changed.\n"
        "If it is meant:  flask db downgrade -2 --yes\n"
    )
    assert snapshot(tmp_path) == before
    assert top.flask("downgrade", "-2", "--yes").exit_code == 0
    assert rows(top) == ["aa11"]


def test_an_upgrade_never_asks(top: Project) -> None:
    top.flask("downgrade", "base", "--yes")
    assert top.flask("upgrade").exit_code == 0
    assert rows(top) == ["cc33"]


def test_sql_is_only_written(top: Project) -> None:
    result = top.flask("downgrade", "--sql", "bb22:aa11")
    assert result.exit_code == 0 and "DROP TABLE two" in result.stdout


def test_nothing_to_take_back_is_no_question(top: Project) -> None:
    assert top.flask("downgrade", "cc33").exit_code == 0
    assert top.flask("downgrade", "head").exit_code == 0


def test_a_mistake_is_told_before_the_question(top: Project) -> None:
    assert "There is no way down to -9" in top.flask("downgrade", "-9").stderr
    assert "protected" not in top.flask("downgrade", "9f1c").stderr


# ---- which databases -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protected", "refused"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("off", False),
        (["sqlite:///*"], True),
        (["*.db"], True),
        (["postgresql*", "*prod*"], False),
        ("postgresql* sqlite*", True),
        ([], False),
    ],
)
def test_a_setting(line: Project, protected: Any, refused: bool) -> None:
    line.flask("upgrade")
    line.app.config["MIGRATE_PROTECTED"] = protected
    assert line.flask("downgrade").exit_code == refused
    assert rows(line) == (["cc33"] if refused else ["bb22"])


def test_one_of_two_databases_is_enough(two: Project, tmp_path: Path) -> None:
    two.flask("upgrade")
    two.app.config["MIGRATE_PROTECTED"] = ["logs.db"]
    before = snapshot(tmp_path)
    result = two.flask("downgrade")
    assert result.exit_code == 1
    assert "logs.db is protected" in result.stderr
    assert snapshot(tmp_path) == before
    assert two.flask("downgrade", "--bind", "default").exit_code == 0
    result = two.flask("downgrade", "--bind", "logs")
    assert result.stderr.endswith("flask db downgrade -1 --bind logs --yes\n")
    assert rows(two, "logs") == ["aa11"]


# ---- from Python -----------------------------------------------------------------------------


def test_a_program_answers_by_itself(top: Project, url: str) -> None:
    repository = top.repository
    with pytest.raises(RefusedError) as info:
        repository.downgrade()
    name = Path(sa.make_url(url).database or "").name
    question = Question("downgrade", "default", url, name, ("cc33",))
    assert info.value.question == question
    asked: list[Question] = []

    def answer(given: bool) -> Callable[[Question], bool]:
        def confirm(one: Question) -> bool:
            asked.append(one)
            return given

        return confirm

    with pytest.raises(RefusedError):
        replace(repository, confirm=answer(False)).downgrade()
    assert rows(top) == ["cc33"]
    replace(repository, confirm=answer(True)).downgrade()
    assert asked == [question, question]
    assert rows(top) == ["bb22"]


def test_a_connection_of_the_callers(line: Project) -> None:
    line.flask("upgrade")
    line.app.config["MIGRATE_PROTECTED"] = True
    with line.app.app_context(), line.db.engine.connect() as connection:
        with pytest.raises(RefusedError):
            line.migrate.repository.downgrade(connection=connection)
        assert not connection.in_transaction()
        repository = replace(line.migrate.repository, confirm=lambda question: True)
        repository.downgrade(connection=connection)
        connection.commit()
    assert rows(line) == ["bb22"]


def test_flask_migrates_function_ends_the_program(
    top: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with top.app.app_context(), pytest.raises(SystemExit) as info:
        flask_sakyum_migrate.downgrade()
    assert info.value.code == 1
    assert "is protected, and this would take back 1 revision: cc33" in caplog.text
    assert rows(top) == ["cc33"]


# ---- on a terminal ---------------------------------------------------------------------------


def on_terminal(folder: Path, typed: str, *args: str) -> tuple[int, str]:
    """Run ``flask db ARGS`` on a terminal of its own, and type a line when it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app.py", "db", *args],
        cwd=folder,
        env={**os.environ, "MIGRATE_PROTECTED": "1 *"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 1024)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
        if shown.endswith(b": ") and b"Type the name" in shown and typed:
            os.write(ours, typed.encode() + b"\n")
            typed = ""
    os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path: Path, project: Project) -> Path:
    """An application in a file, at its second revision."""
    add_table(project, "aa11", None, "one")
    add_table(project, "bb22", "aa11", "two")
    (project.path / "app.py").write_text(APP.format(path=tmp_path.as_posix()))
    assert run_flask(project.path, "db", "upgrade").returncode == 0
    return project.path


@pytest.mark.parametrize(
    ("typed", "done"), [("default.db", True), ("default", False), (" ", False)]
)
def test_the_name_is_typed(folder: Path, typed: str, done: bool) -> None:
    code, shown = on_terminal(folder, typed, "downgrade")
    asked = (
        "default.db is protected, and this takes back 1 revision: bb22.\n"
        "Type the name of the database to go on (default.db): "
    )
    assert asked in shown
    assert code == (0 if done else 1)
    assert ("is now at aa11." in shown) == done
    assert ("Nothing was changed." in shown) == (not done)
    engine = sa.create_engine(f"sqlite:///{folder.parent / 'default.db'}")
    assert ("two" in sa.inspect(engine).get_table_names()) == (not done)
    engine.dispose()


def test_yes_is_not_asked_on_a_terminal(folder: Path) -> None:
    code, shown = on_terminal(folder, "", "downgrade", "--yes")
    assert code == 0 and "Type the name" not in shown
