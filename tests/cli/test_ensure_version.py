"""``flask db ensure-version``."""

from __future__ import annotations

from tests.conftest import Project

from .conftest import rows


def test_it_makes_the_version_table_and_nothing_else(line: Project, url: str) -> None:
    result = line.flask("ensure-version")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} has a version table, at base.\n"
    assert line.tables() == {"alembic_version"}


def test_it_leaves_one_that_is_there(line: Project, url: str) -> None:
    line.flask("upgrade", "aa11")
    result = line.flask("ensure-version")
    assert result.stderr == f"{url} has a version table, at aa11.\n"
    assert rows(line) == ["aa11"]


def test_one_of_two_databases(two: Project) -> None:
    result = two.flask("ensure-version", "--bind", "logs")
    assert result.exit_code == 0
    assert result.stderr == f"logs: {two.engine('logs').url} has a version table, at base.\n"
    assert two.tables() == set()
    assert two.tables("logs") == {"alembic_version"}
