"""``flask db stamp``."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot


def test_head_is_where_it_goes_by_default(line: Project, url: str) -> None:
    result = line.flask("stamp")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} was at base, is stamped cc33.\n"
    assert rows(line) == ["cc33"]
    assert line.tables() == {"alembic_version"}


def test_to_a_revision_and_to_base(line: Project, url: str) -> None:
    line.flask("stamp", "bb")
    assert rows(line) == ["bb22"]
    result = line.flask("stamp", "base")
    assert result.stderr == f"{url} was at bb22, is stamped base.\n"
    assert rows(line) == []


def test_backwards(line: Project) -> None:
    line.flask("stamp", "cc33")
    assert line.flask("stamp", "aa11").exit_code == 0
    assert rows(line) == ["aa11"]


def test_two_heads(fork: Project, url: str) -> None:
    result = fork.flask("stamp", "bb22", "cc33")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} was at base, is stamped bb22, cc33.\n"
    assert rows(fork) == ["bb22", "cc33"]


def test_heads_by_name(fork: Project) -> None:
    assert fork.flask("stamp", "heads").exit_code == 0
    assert rows(fork) == ["bb22", "cc33"]


def test_head_of_two_is_named(fork: Project) -> None:
    result = fork.flask("stamp")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The revisions end in 2 heads:\n")
    assert rows(fork) == []


def test_by_label(fork: Project) -> None:
    assert fork.flask("stamp", "shop", "till@head").exit_code == 0
    assert rows(fork) == ["bb22", "cc33"]


def test_a_revision_and_one_below_it_leave_a_database_that_can_be_upgraded(line: Project) -> None:
    """Two rows of one line overlap: no upgrade and no downgrade works after that."""
    result = line.flask("stamp", "aa11", "bb22")
    assert result.exit_code in (0, 1)
    assert rows(line) in ([], ["bb22"])
    if result.exit_code == 0:
        assert line.flask("upgrade").exit_code == 0


def test_purge_says_where_the_database_was(fork: Project, url: str) -> None:
    fork.flask("stamp", "heads")
    result = fork.flask("stamp", "--purge", "aa11")
    assert result.exit_code == 0
    assert result.stderr == f"{url} was at bb22, cc33, is stamped aa11.\n"
    assert rows(fork) == ["aa11"]


def test_purge_mends_a_row_that_no_file_has(line: Project) -> None:
    line.flask("stamp")
    with line.engine().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9f1c'"))
    refused = line.flask("stamp", "aa11")
    assert refused.exit_code == 1
    assert "9f1c" in refused.stderr
    assert line.flask("stamp", "--purge", "aa11").exit_code == 0
    assert rows(line) == ["aa11"]


def test_one_of_two_databases(two: Project) -> None:
    assert two.flask("stamp", "--bind", "logs").exit_code == 0
    assert (rows(two), rows(two, "logs")) == ([], ["aa11"])


def test_both_databases(two: Project, url: str) -> None:
    result = two.flask("stamp")
    logs = two.engine("logs").url
    assert result.stderr == (
        f"{url} was at base, is stamped aa11.\nlogs: {logs} was at base, is stamped aa11.\n"
    )


def test_what_no_revision_has(line: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("stamp", "aa11", "9f1c")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: No revision is called 9f1c")
    assert snapshot(tmp_path) == before


def test_a_head_that_another_depends_on_is_stamped_with_it(project: Project) -> None:
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    assert project.flask("stamp", "heads").exit_code == 0
    assert rows(project) == ["xx11"]


def test_sql(line: Project) -> None:
    line.flask("stamp", "aa11")
    result = line.flask("stamp", "--sql", "cc33")
    assert result.exit_code == 0
    assert "UPDATE alembic_version SET version_num='cc33'" in result.stdout
    assert rows(line) == ["aa11"]


def test_sql_on_an_empty_database(line: Project) -> None:
    result = line.flask("stamp", "--sql")
    assert "CREATE TABLE alembic_version" in result.stdout
    assert "INSERT INTO alembic_version (version_num) VALUES ('cc33')" in result.stdout
    raw = line.engine().raw_connection()
    raw.executescript(result.stdout)
    raw.close()
    assert rows(line) == ["cc33"]


def test_sql_of_two_heads(fork: Project) -> None:
    result = fork.flask("stamp", "--sql", "bb22", "cc33")
    assert result.exit_code == 0
    assert "VALUES ('bb22')" in result.stdout
    assert "VALUES ('cc33')" in result.stdout
    assert result.stdout.count("CREATE TABLE alembic_version") == 1


def test_sql_from_a_revision(line: Project) -> None:
    result = line.flask("stamp", "--sql", "aa11:cc33")
    assert result.exit_code == 0
    assert "SET version_num='cc33' WHERE alembic_version.version_num = 'aa11'" in result.stdout


def test_purge_does_not_go_with_sql(line: Project) -> None:
    result = line.flask("stamp", "--sql", "--purge")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: --purge ")
