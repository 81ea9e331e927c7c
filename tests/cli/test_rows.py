"""``dump load clean reset shell``: what they print, what they ask, how they end."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.cli import asking
from flask_sakyum_migrate.data.client import client_of
from flask_sakyum_migrate.errors import ConfigError
from flask_sakyum_migrate.results import Question
from tests.cli.conftest import add_table, timeless
from tests.conftest import Project


@pytest.fixture
def filled(line: Project) -> Project:
    """At head, with rows in table one and table two."""
    line.repository.upgrade()
    put(line)
    return line


def put(project: Project) -> None:
    with project.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES (1), (2), (3)")
        connection.exec_driver_sql("INSERT INTO two VALUES (4)")


def counts(project: Project) -> list[int]:
    with project.engine().connect() as connection:
        return [
            connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in ("one", "two")
        ]


def test_a_dump_to_stdout_and_from_stdin(filled: Project) -> None:
    done = filled.flask("dump")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1] == '["one",1]'
    assert timeless(done.stderr) == "Dumped 4 rows in 0.00 s, from 2 tables.\n"
    twice = filled.runner.invoke(args=["db", "load"], input=done.stdout)
    assert twice.exit_code == 1 and "flask db load - --replace\n" in twice.stderr
    assert filled.flask("clean", "--yes").exit_code == 0
    again = filled.runner.invoke(args=["db", "load", "-"], input=done.stdout)
    assert again.exit_code == 0 and again.stdout == ""
    assert timeless(again.stderr) == "Loaded 4 rows in 0.00 s, into 2 tables.\n"
    assert counts(filled) == [3, 1]


def test_a_dump_to_a_file(filled: Project, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl.gz"
    done = filled.flask("dump_db", str(path), "--tables", "one, two", "--where", "one: id > 1")
    assert done.exit_code == 0 and done.stdout == f"{path}\n"
    assert timeless(done.stderr) == "Dumped 3 rows in 0.00 s, from 2 tables.\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    checked = filled.flask("load", str(path), "--replace", "--yes", "--dry-run")
    assert timeless(checked.stderr).endswith(
        "Checked 3 rows in 0.00 s, into 2 tables. Nothing was changed.\n"
    )
    assert counts(filled) == [3, 1]
    some = filled.flask("load", str(path), "--replace", "--yes", "--exclude", "two")
    assert some.exit_code == 0 and counts(filled) == [2, 1]


def test_a_pipe_that_closes(filled: Project) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb", 0) as pipe, pytest.raises(BrokenPipeError):
        filled.repository.dump(pipe)
    data = filled.flask("dump").stdout
    filled.flask("clean", "--yes")
    half = filled.runner.invoke(args=["db", "load", "-"], input=data[:-20])
    assert half.exit_code == 1 and "Nothing was loaded." in half.stderr
    assert counts(filled) == [0, 0]


def test_a_condition_needs_its_table(filled: Project) -> None:
    done = filled.flask("dump", "--where", "id > 1")
    assert done.exit_code == 2 and 'id > 1 is not TABLE: SQL, such as "user' in done.stderr


def test_an_error_is_a_line_and_exit_code_1(filled: Project, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("hello\n")
    done = filled.flask("load", str(path))
    assert done.exit_code == 1 and done.stdout == ""
    assert done.stderr == (
        f"Error: {path} is not a dump: its first line is not the manifest of one.\n"
        "Make one with:  flask db dump FILE\n"
    )


def test_without_a_terminal_nothing_is_deleted_unasked(filled: Project) -> None:
    done = filled.flask("clean")
    assert done.exit_code == 1
    assert done.stderr.endswith(
        "this would delete 4 rows of 2 tables. Nothing was changed.\n"
        "If it is meant:  flask db clean --yes\n"
    )
    assert counts(filled) == [3, 1]
    done = filled.flask("cleaned_db", "--yes", "--tables", "two")
    assert done.exit_code == 0 and "deleted 1 row of 1 table.\n" in done.stderr
    assert counts(filled) == [3, 0]


def test_a_person_is_asked(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    done = filled.runner.invoke(args=["db", "clean"], input="n\n")
    assert done.exit_code == 1 and counts(filled) == [3, 1]
    assert "would lose:\n  one  3 rows\n  two  1 row\nGo on? [y/N]" in done.stderr
    done = filled.runner.invoke(args=["db", "clean"], input="y\n")
    assert done.exit_code == 0 and counts(filled) == [0, 0]


def test_a_protected_database_needs_its_name(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Path(str(filled.engine().url.database)).name
    monkeypatch.setenv("MIGRATE_PROTECTED", "true")
    done = filled.flask("clean", "--yes")
    assert done.exit_code == 1 and f"flask db clean --name {name}\n" in done.stderr
    assert counts(filled) == [3, 1]
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    wrong = filled.runner.invoke(args=["db", "clean"], input="yes\n")
    assert (
        wrong.exit_code == 1 and f"Type the name of the database to go on ({name})" in wrong.stderr
    )
    assert counts(filled) == [3, 1]
    assert filled.flask("clean", "--name", name).exit_code == 0
    assert counts(filled) == [0, 0]


def test_reset_begins_again(filled: Project) -> None:
    add_table(filled, "dd44", "cc33", "three")
    called = []
    filled.migrate.seed(lambda: called.append(counts(filled)))
    done = filled.flask("reset", "--yes")
    assert done.exit_code == 0, done.stderr
    assert filled.tables() == {"alembic_version", "one", "two", "three"}
    assert called == [[0, 0]]
    assert [one.heads for one in filled.repository.current()] == [("dd44",)]
    assert ": deleted 4 rows of 2 tables, and the tables.\n" in done.stderr


def test_the_full_names_are_not_in_the_help(project: Project) -> None:
    listed = project.flask("--help").stdout
    assert "  dump " in listed and "dump_db" not in listed and "cleaned_db" not in listed


# ---- the shell -----------------------------------------------------------------------------------


def client(url: str) -> tuple[list[str], dict[str, str]]:
    found = client_of(sa.create_engine(url))
    return list(found.arguments), dict(found.environment)


def test_the_password_is_in_the_environment() -> None:
    arguments, environment = client(
        "postgresql+psycopg://me:s3%40cret@db:5433/shop?sslmode=require"
    )
    assert arguments == ["-h", "db", "-p", "5433", "-U", "me", "-d", "shop"]
    assert environment == {"PGPASSWORD": "s3@cret", "PGSSLMODE": "require"}
    arguments, environment = client("mysql+pymysql://me:s3cret@db/shop")
    assert arguments == ["-h", "db", "-u", "me", "shop"]
    assert environment == {"MYSQL_PWD": "s3cret"}
    with pytest.raises(ConfigError, match="in the memory of one process"):
        client("sqlite://")


def test_the_shell_becomes_the_client(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *given: calls.append(given))
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert filled.flask("shell", "--", "-box").exit_code == 0
    ((program, arguments, environment),) = calls
    assert program == "/bin/sqlite3"
    assert arguments == [program, str(filled.engine().url.database), "-box"]
    assert environment["PATH"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    missing = filled.flask("shell")
    assert missing.exit_code == 1
    assert missing.stderr.startswith("Error: sqlite3 is not installed here, or not in PATH.\n")


def test_a_question_is_a_record() -> None:
    asked = Question("clean", "default", "sqlite:///a.db", "a.db", (), (("user", 3),), False)
    assert not asked.is_protected and asking.ask_on_terminal(asked) is False
