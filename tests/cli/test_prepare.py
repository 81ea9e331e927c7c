"""``flask db prepare`` and ``flask db seed``."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker

from .conftest import add_revision, add_table, rows, timeless


@pytest.fixture
def seeded(project: Project) -> Project:
    """Two revisions and two seed functions; nothing is applied, and there is no database."""
    add_table(project, "aa11", None, "one")
    add_table(project, "bb22", "aa11", "two")

    @project.migrate.seed
    def ones() -> None:
        project.db.session.execute(sa.text("INSERT INTO one VALUES (1)"))

    @project.migrate.seed
    def twos() -> None:
        project.db.session.execute(sa.text("INSERT INTO two VALUES (2)"))

    return project


NAME = "tests.cli.test_prepare.seeded.<locals>."


def ids(project: Project) -> dict[str, list[int]]:
    with project.engine().connect() as connection:
        return {
            table: list(connection.execute(sa.text(f"SELECT id FROM {table}")).scalars())
            for table in ("one", "two")
        }


# ---- prepare ---------------------------------------------------------------------------------


def test_from_nothing_and_again(seeded: Project, url: str) -> None:
    result = seeded.flask("prepare")
    assert (result.exit_code, result.stdout) == (0, "")
    assert timeless(result.stderr) == (
        f"{url} is at base: 2 revisions to run.\n"
        "[1/2] aa11 add one  0.00 s\n"
        "[2/2] bb22 add two  0.00 s\n"
        f"Applied 2 revisions in 0.00 s. {url} is now at bb22.\n"
        f"seed {NAME}ones  0.00 s\n"
        f"seed {NAME}twos  0.00 s\n"
    )
    assert ids(seeded) == {"one": [1], "two": [2]}
    result = seeded.flask("prepare")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} is at bb22: nothing to do.\n"
    assert ids(seeded) == {"one": [1], "two": [2]}


def test_a_revision_that_fails_is_told_as_upgrade_tells_it(seeded: Project) -> None:
    path = add_revision(seeded, "cc33", "bb22", up="raise ValueError('no')")
    result = seeded.flask("prepare")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "Error: upgrade of cc33 (make cc33) failed: ValueError: no\n"
        f"  {path}, line 15\n"
        "The whole run was rolled back.\n"
    )
    path.unlink()
    assert seeded.flask("prepare").exit_code == 0
    assert ids(seeded) == {"one": [1], "two": [2]}  # it is still the first time


def test_it_waits_as_long_as_it_is_told(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://school@127.0.0.1:1/school")
    result = project.flask("prepare", "--wait", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    shown = "postgresql+psycopg://school@127.0.0.1:1/school"
    assert result.stderr.startswith(f"Error: {shown} does not answer: ")
    assert result.stderr.endswith(
        "Is the server running, and are host, port, name, user and password right?\n"
    )
    result = project.flask("prepare", "--wait", "1s")
    assert re.search(r" Waited \d+ s for it\.\n", result.stderr)


def test_a_time_that_is_none(project: Project) -> None:
    result = project.flask("prepare", "--wait", "soon")
    assert result.exit_code == 2
    assert "soon is not a time such as 5, 400ms or 2min." in result.stderr


def test_the_password_is_not_shown(make_project: ProjectMaker) -> None:
    project = make_project("mysql+pymysql://school:s3cret@127.0.0.1:1/school")
    result = project.flask("prepare", "--wait", "0")
    assert result.exit_code == 1
    assert "s3cret" not in result.stderr and "school:***@127.0.0.1" in result.stderr


# ---- seed ------------------------------------------------------------------------------------


def test_all_of_them_in_order(seeded: Project) -> None:
    seeded.flask("upgrade")
    result = seeded.flask("seed")
    assert (result.exit_code, result.stdout) == (0, "")
    assert timeless(result.stderr) == (
        f"seed {NAME}ones  0.00 s\nseed {NAME}twos  0.00 s\nCalled 2 seed functions in 0.00 s.\n"
    )
    assert ids(seeded) == {"one": [1], "two": [2]}


def test_one_that_fails_is_rolled_back_and_named(seeded: Project) -> None:
    @seeded.migrate.seed
    def more() -> None:
        seeded.db.session.execute(sa.text("INSERT INTO one VALUES (7)"))
        raise LookupError("no such file: users.csv")

    @seeded.migrate.seed
    def never() -> None:
        raise AssertionError

    seeded.flask("upgrade")
    result = seeded.flask("seed")
    line = more.__code__.co_firstlineno + 3
    assert (result.exit_code, result.stdout) == (1, "")
    assert timeless(result.stderr) == (
        f"seed {NAME}ones  0.00 s\n"
        f"seed {NAME}twos  0.00 s\n"
        "Error: seed: more() failed: LookupError: no such file: users.csv\n"
        f"  {__file__}, line {line}\n"
        f"It was rolled back. What ran before it stays: {NAME}ones, {NAME}twos.\n"
    )
    assert ids(seeded) == {"one": [1], "two": [2]}
    assert [run.outcome for run in seeded.repository.runs(3)] == ["failed", "done", "done"]


def test_no_function_is_told_how_to_write_one(line: Project) -> None:
    line.flask("upgrade")
    result = line.flask("seed")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: No function fills the database.\n"
        "Write one where Migrate is:\n\n"
        "  @migrate.seed\n"
        "  def users():\n"
        '      db.session.add(User(name="admin"))\n\n'
    )


def test_what_is_written_there_works(make_project: ProjectMaker, url: str) -> None:
    """The lines of the message, in an application with a User."""
    users: list[Any] = []

    def define(db: Any) -> None:
        class User(db.Model):  # type: ignore[misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(50))

        users.append(User)

    project = make_project(url, models=define)
    message = project.flask("seed").stderr.partition("Migrate is:\n\n")[2]
    code = "\n".join(line.removeprefix("  ") for line in message.splitlines())
    exec(code, {"migrate": project.migrate, "db": project.db, "User": users[0]})
    project.repository.revision("create", autogenerate=True)
    assert project.flask("prepare").exit_code == 0
    with project.app.app_context():
        assert [user.name for user in project.db.session.query(users[0])] == ["admin"]


# ---- runs ------------------------------------------------------------------------------------


def test_the_history_of_runs(seeded: Project, tmp_path: Path) -> None:
    seeded.app.config["MIGRATE_APP_VERSION"] = "2.1"
    seeded.flask("upgrade")
    add_revision(seeded, "cc33", "bb22", up="raise ValueError('no')")
    assert seeded.flask("upgrade").exit_code == 1
    seeded.flask("stamp", "aa11")
    result = seeded.flask("runs")
    assert (result.exit_code, result.stderr) == (0, "")
    who = f"{getpass.getuser()}@{socket.gethostname()}  2.1"
    lines = timeless(re.sub(r"^[-\d]{10} [:\d]{8}", "DATE", result.stdout, flags=re.M))
    assert lines == (
        f"DATE  stamp aa11  {who}\n"
        f"DATE  upgrade cc33 make cc33  0.00 s  {who}  failed  "
        "upgrade of cc33 (make cc33) failed: ValueError: no\n"
        f"DATE  upgrade bb22 add two  0.00 s  {who}\n"
        f"DATE  upgrade aa11 add one  0.00 s  {who}\n"
    )
    newest = seeded.flask("runs", "-n", "1").stdout
    assert newest == result.stdout.splitlines(keepends=True)[0]
    assert seeded.flask("runs", "-n", "0").exit_code == 2


def test_the_history_of_two_databases(two: Project) -> None:
    two.flask("upgrade")
    lines = two.flask("runs").stdout.splitlines()
    assert len(lines) == 2
    assert "  logs  upgrade aa11 add one  " in lines[0] and "logs" not in lines[1]
    assert len(two.flask("runs", "--bind", "logs").stdout.splitlines()) == 1


def test_no_history(line: Project) -> None:
    result = line.flask("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No history: nothing was run here yet.\n"
    line.app.config["MIGRATE_RUNS_TABLE"] = "off"
    line.flask("upgrade")
    assert rows(line) == ["cc33"]
    assert line.flask("runs").stderr == "MIGRATE_RUNS_TABLE is off.\n"
