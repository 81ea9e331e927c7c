"""``flask db downgrade``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot, timeless


@pytest.fixture
def top(line: Project) -> Project:
    """Three revisions, all applied."""
    line.flask("upgrade")
    return line


def test_one_step_back(top: Project, url: str) -> None:
    result = top.flask("downgrade")
    assert (result.exit_code, result.stdout) == (0, "")
    assert timeless(result.stderr) == (
        f"{url} is at cc33: 1 revision to run.\n"
        "[1/1] downgrade cc33 make cc33  0.00 s\n"
        f"Took back 1 revision in 0.00 s. {url} is now at bb22.\n"
    )
    assert rows(top) == ["bb22"]


@pytest.mark.parametrize(
    ("args", "end"),
    [
        (["-1"], ["bb22"]),
        (["-2"], ["aa11"]),
        (["-3"], []),
        (["--", "-2"], ["aa11"]),
        (["base"], []),
        (["aa11"], ["aa11"]),
        (["aa"], ["aa11"]),
        (["head-1"], ["bb22"]),
        (["cc33-2"], ["aa11"]),
        (["-2", "--tag", "x"], ["aa11"]),
        (["--tag", "x", "-2"], ["aa11"]),
        (["--tag", "-7", "-2"], ["aa11"]),
        (["-x", "a=-1", "-1"], ["bb22"]),
        (["--bind", "default", "-1"], ["bb22"]),
        (["cc33"], ["cc33"]),
        (["head"], ["cc33"]),
    ],
)
def test_to_a_revision(top: Project, args: list[str], end: list[str]) -> None:
    result = top.flask("downgrade", *args)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert rows(top) == end


def test_to_base_takes_the_tables_away(top: Project, url: str) -> None:
    result = top.flask("downgrade", "base")
    assert top.tables() == {"alembic_version"}
    assert result.stderr.endswith(f"{url} is now at base.\n")


def test_up_down_up(top: Project) -> None:
    top.flask("downgrade", "base")
    assert top.flask("upgrade").exit_code == 0
    assert top.tables() == {"one", "two", "alembic_version"}


@pytest.mark.parametrize("target", ["-4", "+1"])
def test_more_steps_than_there_are(top: Project, target: str, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = top.flask("downgrade", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: There is no way down to {target} from cc33.")
    assert snapshot(tmp_path) == before


def test_from_base_there_is_no_way_down(line: Project) -> None:
    result = line.flask("downgrade")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no way down to -1 from base.")


def test_to_a_revision_that_is_not_applied(line: Project, tmp_path: Path) -> None:
    line.flask("upgrade", "aa11")
    before = snapshot(tmp_path)
    result = line.flask("downgrade", "bb22")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no way down to bb22 from aa11.\n")
    assert snapshot(tmp_path) == before


def test_a_branch(fork: Project) -> None:
    fork.flask("upgrade", "heads")
    assert fork.flask("downgrade", "shop@-1").exit_code == 0
    assert rows(fork) == ["cc33"]


def test_one_step_from_two_heads_is_refused_or_named(fork: Project, tmp_path: Path) -> None:
    """Which of the two goes is nobody's guess: Alembic warns, takes the first one it reads."""
    fork.flask("upgrade", "heads")
    before = snapshot(tmp_path)
    result = fork.flask("downgrade", "-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bb22" in result.stderr
    assert "cc33" in result.stderr
    assert snapshot(tmp_path) == before


def test_a_revision_that_raises_is_rolled_back(line: Project) -> None:
    path = add_revision(line, "dd44", "cc33", message="bad", back="raise RuntimeError('no way')")
    line.flask("upgrade")
    result = line.flask("downgrade", "base")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "Error: downgrade of dd44 (bad) failed: RuntimeError: no way\n"
        f"  {path}, line 19\n"
        "The whole run was rolled back.\n"
    )
    assert rows(line) == ["dd44"]


def test_a_revision_without_a_way_back(line: Project, tmp_path: Path) -> None:
    path = add_revision(line, "dd44", "cc33")
    path.write_text(path.read_text().partition("\n\ndef downgrade")[0] + "\n")
    line.flask("upgrade")
    before = snapshot(tmp_path)
    result = line.flask("downgrade", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Error: {path} has no function downgrade().\n" in result.stderr
    assert snapshot(tmp_path) == before


def test_one_of_two_databases(two: Project) -> None:
    two.flask("upgrade")
    assert two.flask("downgrade", "--bind", "logs").exit_code == 0
    assert rows(two) == ["aa11"]
    assert rows(two, "logs") == []
    assert two.tables("logs") == {"alembic_version"}


def test_sql_starts_where_the_database_is(top: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = top.flask("downgrade", "--sql", "aa11")
    assert result.exit_code == 0
    assert result.stdout.startswith("BEGIN;\n\n-- Running downgrade cc33 -> bb22\n")
    assert "DROP TABLE two;" in result.stdout
    assert "DROP TABLE one;" not in result.stdout
    assert result.stderr == "SQL for default from cc33, where the database is.\n"
    assert snapshot(tmp_path) == before


def test_sql_of_one_step(top: Project) -> None:
    result = top.flask("downgrade", "--sql", "-1")
    assert result.exit_code == 0
    assert "-- Running downgrade cc33 -> bb22" in result.stdout
    assert "bb22 -> aa11" not in result.stdout


def test_sql_of_a_range(line: Project) -> None:
    result = line.flask("downgrade", "--sql", "bb22:base")
    assert result.exit_code == 0
    assert "DROP TABLE two;" in result.stdout
    assert "DROP TABLE one;" in result.stdout
    assert result.stderr == "SQL for default from bb22.\n"


def test_sql_into_a_file(top: Project, tmp_path: Path) -> None:
    result = top.flask("downgrade", "base", "-o", str(tmp_path / "down.sql"))
    assert result.stdout == f"{tmp_path / 'down.sql'}\n"
    assert "DROP TABLE one;" in (tmp_path / "down.sql").read_text()
    assert rows(top) == ["cc33"]
