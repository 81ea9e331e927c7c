"""``flask db current``."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.conftest import Project

from .conftest import add_revision, snapshot


def test_a_database_that_is_not_there_is_not_made(line: Project, url: str, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("current")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} has no version table\n"
    assert snapshot(tmp_path) == before


def test_at_base(line: Project, url: str) -> None:
    line.flask("ensure-version")
    result = line.flask("current")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} is at base\n"


def test_on_the_way(line: Project, url: str) -> None:
    line.flask("upgrade", "aa11")
    result = line.flask("current")
    assert (result.exit_code, result.stdout) == (0, "aa11\n")
    assert result.stderr.startswith(url)


def test_at_head(line: Project) -> None:
    line.flask("upgrade")
    assert line.flask("current").stdout == "cc33 (head)\n"


def test_at_two_heads(fork: Project) -> None:
    fork.flask("upgrade", "heads")
    assert fork.flask("current").stdout == "bb22 (head)\ncc33 (head)\n"


def test_a_head_that_another_one_depends_on(project: Project) -> None:
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    project.flask("upgrade", "heads")
    assert sorted(project.flask("current").stdout.splitlines()) == [
        "aa11 (effective head)",
        "xx11 (head)",
    ]


def test_verbose(line: Project, url: str) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("current", "--verbose")
    assert result.exit_code == 0
    assert result.stdout == (
        f"Current revision(s) for {url}:\n"
        "Rev: bb22\n"
        "Parent: aa11\n"
        f"Path: {line.path}/migrations/versions/bb22.py\n"
        "\n"
        "    add two\n"
        "    \n"
        "    Revision ID: bb22\n"
        "\n"
    )


def test_check_heads_when_there_is_something_to_run(line: Project, url: str) -> None:
    line.flask("upgrade", "aa11")
    result = line.flask("current", "--check-heads")
    assert (result.exit_code, result.stdout) == (1, "aa11\n")
    assert result.stderr.endswith(f"Error: Not at head: {url}.\nRun:  flask db upgrade\n")


def test_check_heads_of_an_empty_database(line: Project) -> None:
    assert line.flask("current", "--check-heads").exit_code == 1


def test_check_heads_at_head(line: Project) -> None:
    line.flask("upgrade")
    result = line.flask("current", "--check-heads")
    assert (result.exit_code, result.stdout) == (0, "cc33 (head)\n")
    assert "Error" not in result.stderr


def test_check_heads_on_one_of_two_heads(fork: Project) -> None:
    fork.flask("upgrade", "shop")
    result = fork.flask("current", "--check-heads")
    assert (result.exit_code, result.stdout) == (1, "bb22 (head)\n")
    assert "flask db upgrade heads" in result.stderr
    fork.flask("upgrade", "heads")
    assert fork.flask("current", "--check-heads").exit_code == 0


def test_check_heads_with_a_dependency(project: Project) -> None:
    """The row of aa11 is gone once xx11, which depends on it, is applied."""
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    project.flask("upgrade", "heads")
    assert project.flask("current", "--check-heads").exit_code == 0


def test_two_databases(two: Project, url: str) -> None:
    two.flask("upgrade", "--bind", "logs")
    result = two.flask("current")
    assert (result.exit_code, result.stdout) == (0, "aa11 (head)\n")
    assert result.stderr.splitlines()[0].startswith(url)
    assert result.stderr.splitlines()[1].startswith(f"logs: {two.engine('logs').url}")
    assert two.flask("current", "--check-heads").exit_code == 1
    assert two.flask("current", "--check-heads", "--bind", "logs").exit_code == 0


def test_a_row_that_no_file_has(line: Project, tmp_path: Path) -> None:
    line.flask("upgrade")
    with line.engine().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9f1c'"))
    result = line.flask("current")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The database is at revision 9f1c, which no file in ")
