"""``flask db resolve``."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user_and_log

from .conftest import add_revision, add_table, rows

UP = """op.execute("INSERT INTO one VALUES (1)")
    with op.get_context().autocommit_block():
        op.execute("INSERT INTO one VALUES (2)")
    op.execute("INSERT INTO one VALUES (3)")
    op.execute("INSERT INTO nothing VALUES (4)")
    op.bulk_insert(sa.table("one", sa.column("id", sa.Integer)), [{"id": 5}, {"id": 6}])"""
JOURNAL = sa.table("alembic_version_journal", sa.column("number"), sa.column("state"))


def ids(project: Project, bind: str | None = None) -> list[int]:
    with project.engine(bind).connect() as connection:
        return list(connection.execute(sa.text("SELECT id FROM one ORDER BY id")).scalars())


def in_doubt(project: Project) -> None:
    """Make as if the process had ended while statement 2 ran."""
    with project.engine().begin() as connection:
        connection.execute(JOURNAL.update().where(JOURNAL.c.number == 2).values(state="started"))


@pytest.fixture
def half(project: Project) -> Project:
    """A project at aa11, and bb22 half applied: statement 1 and 2 stay, 4 failed."""
    add_table(project, "aa11", None, "one")
    add_revision(project, "bb22", "aa11", message="fill one", up=UP)
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert ids(project) == [1, 2]
    assert rows(project) == ["aa11"]
    return project


def test_it_shows_what_ran_and_the_rest_as_sql(half: Project, url: str) -> None:
    result = half.flask("resolve", "bb22")
    assert result.exit_code == 0
    assert result.stdout == (
        "-- 1 done: INSERT INTO one VALUES (1)\n"
        "-- 2 done: INSERT INTO one VALUES (2)\n"
        "-- not run:\n"
        "INSERT INTO one VALUES (3);\n"
        "INSERT INTO nothing VALUES (4);\n"
        "INSERT INTO one (id) VALUES (5);\n"
        "INSERT INTO one (id) VALUES (6);\n"
    )
    assert result.stderr == (
        f"{url}: the upgrade of bb22 (fill one) was cut short.\n"
        "Go on with it, its file as it was when it ran:  flask db upgrade\n"
        "Or do the rest by hand and say so:  flask db resolve bb22 --applied\n"
        "Or undo by hand what ran and say so:  flask db resolve bb22 --rolled-back\n"
    )
    assert ids(half) == [1, 2]


def test_the_beginning_of_the_id_is_enough_and_so_is_a_symbol(half: Project) -> None:
    expected = half.flask("resolve", "bb22").stdout
    assert half.flask("resolve", "bb").stdout == expected
    assert half.flask("resolve", "head").stdout == expected
    assert half.flask("resolve").stdout == expected


def test_another_file_says_why_it_does_not_go_on(half: Project) -> None:
    add_revision(half, "bb22", "aa11", up=UP.replace("VALUES (2)", "VALUES (20)"))
    stopped = half.flask("upgrade")
    assert stopped.exit_code == 1
    assert "statement 2 of its file is not the one that ran" in stopped.stderr
    result = half.flask("resolve", "bb22")
    assert result.exit_code == 0
    assert "not the one that ran" in result.stderr
    assert ids(half) == [1, 2]


def test_applied(half: Project, url: str) -> None:
    result = half.flask("resolve", "bb22", "--applied")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url}: the upgrade of bb22 counts as done.\n"
    assert rows(half) == ["bb22"]
    assert half.tables() == {"alembic_version", "one"}
    assert half.flask("upgrade").exit_code == 0
    assert ids(half) == [1, 2]


def test_rolled_back(half: Project, url: str) -> None:
    with half.engine().begin() as connection:
        connection.execute(sa.text("DELETE FROM one"))
    result = half.flask("resolve", "bb22", "--rolled-back")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url}: the upgrade of bb22 counts as never begun.\n"
    assert rows(half) == ["aa11"]
    assert half.tables() == {"alembic_version", "one"}
    add_revision(half, "bb22", "aa11", up=UP.replace("nothing", "one"))
    assert half.flask("upgrade").exit_code == 0
    assert ids(half) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("option", "expected"), [("--done", [1]), ("--undone", [1, 2])])
def test_the_statement_in_doubt(half: Project, url: str, option: str, expected: list[int]) -> None:
    in_doubt(half)
    with half.engine().begin() as connection:
        connection.execute(sa.text("DELETE FROM one WHERE id = 2"))
    stopped = half.flask("upgrade")
    assert stopped.exit_code == 1
    assert "  2 in doubt: INSERT INTO one VALUES (2)\n" in stopped.stderr
    assert (
        "flask db resolve bb22 --done 2   or   flask db resolve bb22 --undone 2" in stopped.stderr
    )
    shown = half.flask("resolve", "bb22")
    assert "-- 2 in doubt: INSERT INTO one VALUES (2)\n-- not run:\n" in shown.stdout
    result = half.flask("resolve", "bb22", option, "2")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith(f"{url}: statement 2 counts as ")
    add_revision(half, "bb22", "aa11", up=UP.replace("nothing", "one"))
    assert half.flask("upgrade").exit_code == 0
    assert ids(half) == [*expected, 3, 4, 5, 6]


def test_a_statement_that_is_not_in_doubt(half: Project) -> None:
    result = half.flask("resolve", "bb22", "--done", "2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: No statement of bb22 is in doubt: 1 to 2 are done.\n"
    in_doubt(half)
    result = half.flask("resolve", "bb22", "--undone", "1")
    assert result.exit_code == 1
    assert result.stderr == "Error: Statement 1 of bb22 is not in doubt: statement 2 is.\n"


def test_one_thing_at_a_time(half: Project) -> None:
    result = half.flask("resolve", "bb22", "--applied", "--rolled-back")
    assert result.exit_code == 2
    assert half.flask("resolve", "--applied").exit_code == 2
    assert rows(half) == ["aa11"]


def test_a_revision_that_is_not_half_applied(half: Project) -> None:
    result = half.flask("resolve", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: aa11 is not half applied on any database.\n")
    assert "the upgrade of bb22 on sqlite:///" in result.stderr


def test_nothing_is_half_applied(line: Project) -> None:
    line.flask("upgrade")
    result = line.flask("resolve", "cc33", "--rolled-back")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: cc33 is not half applied on any database.\n"
        "Where the databases are:  flask db current\n"
    )
    result = line.flask("resolve")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: No revision is half applied on any database.\n")
    assert line.tables() == {"alembic_version", "one", "two"}


def test_a_revision_whose_file_is_gone(half: Project) -> None:
    (half.path / "migrations/versions/bb22.py").unlink()
    result = half.flask("resolve", "bb22")
    assert result.exit_code == 0
    assert result.stdout.count("done: ") == 2
    assert "The rest cannot be shown from here: No file has this revision." in result.stderr
    assert half.flask("resolve", "bb22", "--rolled-back").exit_code == 0
    assert half.tables() == {"alembic_version", "one"}


def test_a_downgrade(half: Project) -> None:
    half.flask("resolve", "bb22", "--applied")
    back = 'with op.get_context().autocommit_block():\n        op.execute("DELETE FROM one")\n'
    back += '    op.execute("DELETE FROM nothing")'
    add_revision(half, "bb22", "aa11", back=back)
    assert half.flask("downgrade").exit_code == 1
    shown = half.flask("resolve", "bb22")
    assert shown.stdout == "-- 1 done: DELETE FROM one\n-- not run:\nDELETE FROM nothing;\n"
    assert "Go on with it, its file as it was when it ran:  flask db downgrade" in shown.stderr
    assert half.flask("resolve", "bb22", "--applied").exit_code == 0
    assert rows(half) == ["aa11"]


def test_a_downgrade_of_one_of_two_branches_leaves_the_other(project: Project) -> None:
    back = 'with op.get_context().autocommit_block():\n        op.execute("DELETE FROM one")\n'
    add_table(project, "aa11", None, "one")
    add_revision(project, "bb22", "aa11", back=f'{back}    op.execute("DELETE FROM nothing")')
    add_revision(project, "cc33", "aa11")
    project.flask("upgrade", "heads")
    assert project.flask("downgrade", "bb22@-1").exit_code == 1
    assert project.flask("resolve", "bb22", "--applied").exit_code == 0
    assert rows(project) == ["cc33"]


def test_two_databases(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    default, logs = make_database("mariadb"), make_database("mariadb")
    project = make_project(default, binds={"logs": logs}, models=define_user_and_log)
    for id, down, up in (("aa11", None, "CREATE TABLE one (id INT)"), ("bb22", "aa11", "BREAK")):
        function = f'op.execute("{up}")'.replace("BREAK", "DROP TABLE one")
        path = add_revision(project, id, down, up=function)
        path.write_text(f"{path.read_text()}\n\ndef upgrade_logs():\n    {function}\n")
    path.write_text(path.read_text().replace('"DROP TABLE one")', '"DROP TABLE one")\n    fail()'))
    project.flask("upgrade", "aa11")
    for bind in ("default", "logs"):
        assert project.flask("upgrade", "--bind", bind).exit_code == 1
    result = project.flask("resolve", "bb22")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: More than one is half applied: bb22 on default, bb22 on logs.\n"
        "Name one of them:  flask db resolve bb22 --bind logs\n"
    )
    assert project.flask("resolve", "bb22", "--bind", "logs", "--applied").exit_code == 0
    assert (rows(project), rows(project, "logs")) == (["aa11"], ["bb22"])
    assert project.flask("resolve", "bb22", "--rolled-back").exit_code == 0
    assert project.tables() == {"alembic_version"}
