"""``flask db upgrade``."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot, timeless


def test_to_head(line: Project, url: str) -> None:
    result = line.flask("upgrade")
    assert (result.exit_code, result.stdout) == (0, "")
    assert timeless(result.stderr) == (
        f"{url} is at base: 3 revisions to run.\n"
        "[1/3] aa11 add one  0.00 s\n"
        "[2/3] bb22 add two  0.00 s\n"
        "[3/3] cc33 make cc33  0.00 s\n"
        f"Applied 3 revisions in 0.00 s. {url} is now at cc33.\n"
    )
    assert line.tables() == {"one", "two", "alembic_version"}
    assert rows(line) == ["cc33"]


def test_at_head_there_is_nothing_to_do(line: Project, url: str) -> None:
    line.flask("upgrade")
    result = line.flask("upgrade")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{url} is at cc33: nothing to do.\n"


def test_without_revisions(project: Project) -> None:
    result = project.flask("upgrade")
    assert (result.exit_code, result.stdout) == (0, "")
    assert rows(project) == []


@pytest.mark.parametrize(
    ("start", "target", "end"),
    [
        ("base", "+1", "aa11"),
        ("aa11", "+1", "bb22"),
        ("aa11", "+2", "cc33"),
        ("base", "aa11", "aa11"),
        ("base", "bb", "bb22"),
        ("aa11", "heads", "cc33"),
        ("base", "head-1", "bb22"),
        ("base", "aa11+1", "bb22"),
        ("bb22", "aa11", "bb22"),
        ("base", "base+1", "aa11"),
    ],
)
def test_to_a_revision(line: Project, start: str, target: str, end: str) -> None:
    if start != "base":
        line.flask("upgrade", start)
    result = line.flask("upgrade", target)
    assert (result.exit_code, result.stdout) == (0, "")
    assert rows(line) == [end]


def test_one_revision_is_said_in_the_singular(line: Project, url: str) -> None:
    result = line.flask("upgrade", "+1")
    assert timeless(result.stderr) == (
        f"{url} is at base: 1 revision to run.\n"
        "[1/1] aa11 add one  0.00 s\n"
        f"Applied 1 revision in 0.00 s. {url} is now at aa11.\n"
    )


@pytest.mark.parametrize("target", ["+4", "-1"])
def test_more_steps_than_there_are(line: Project, target: str, tmp_path: Path) -> None:
    line.flask("upgrade", "aa11")
    before = snapshot(tmp_path)
    result = line.flask("upgrade", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: There is no way up to {target} from aa11.")
    assert snapshot(tmp_path) == before


def test_a_range_is_for_sql(line: Project) -> None:
    result = line.flask("upgrade", "aa11:bb22")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: aa11:bb22 is a range, which is for --sql only: a database starts where it is.\n"
    )


def test_two_heads_are_named(fork: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = fork.flask("upgrade")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The revisions end in 2 heads:\n")
    assert snapshot(tmp_path) == before


def test_to_all_heads(fork: Project, url: str) -> None:
    result = fork.flask("upgrade", "heads")
    assert result.exit_code == 0
    assert rows(fork) == ["bb22", "cc33"]
    assert result.stderr.endswith(f" {url} is now at bb22, cc33.\n")


def test_to_the_head_of_a_branch(fork: Project) -> None:
    assert fork.flask("upgrade", "till@head").exit_code == 0
    assert rows(fork) == ["cc33"]
    assert fork.flask("upgrade", "shop").exit_code == 0
    assert rows(fork) == ["bb22", "cc33"]


def test_steps_on_a_branch(fork: Project) -> None:
    fork.flask("upgrade", "aa11")
    assert fork.flask("upgrade", "shop@+1").exit_code == 0
    assert rows(fork) == ["bb22"]


def test_what_a_revision_depends_on_runs_first(project: Project) -> None:
    add_revision(project, "aa11", labels=("shop",))
    add_revision(project, "xx11", labels=("till",))
    add_revision(project, "xx22", "xx11", depends="shop")
    assert project.flask("upgrade", "till@head").exit_code == 0
    assert rows(project) == ["xx22"]
    assert project.flask("upgrade", "heads").stderr.endswith("is at xx22: nothing to do.\n")


def test_a_revision_that_raises_is_rolled_back(line: Project, url: str) -> None:
    path = add_revision(line, "dd44", "cc33", message="bad", up="raise KeyError('name')")
    result = line.flask("upgrade")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "Error: upgrade of dd44 (bad) failed: KeyError: 'name'\n"
        f"  {path}, line 15\n"
        "The whole run was rolled back.\n"
    )
    assert line.tables() == set()


def test_a_statement_that_fails_is_shown(line: Project) -> None:
    path = add_revision(
        line, "dd44", "cc33", message="bad", up='op.execute("INSERT INTO nowhere VALUES (1)")'
    )
    result = line.flask("upgrade")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: upgrade of dd44 (bad) failed: OperationalError: no such table: nowhere\n" in (
        result.stderr
    )
    assert f"  {path}, line 15\n  INSERT INTO nowhere VALUES (1)\n" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_an_application_prints_is_not_lost(line: Project) -> None:
    add_revision(line, "dd44", "cc33", up="print('from the revision')")
    assert "from the revision\n" in line.flask("upgrade").output


def test_two_databases(two: Project, url: str) -> None:
    result = two.flask("upgrade")
    logs = two.engine("logs").url
    assert (result.exit_code, result.stdout) == (0, "")
    assert timeless(result.stderr) == (
        f"{url} is at base: 1 revision to run.\n"
        "[1/1] aa11 add one  0.00 s\n"
        f"logs: {logs} is at base: 1 revision to run.\n"
        "[1/1] aa11 add one  0.00 s\n"
        f"Applied 1 revision on 2 databases in 0.00 s. {url} is now at aa11. "
        f"logs: {logs} is now at aa11.\n"
    )
    assert two.tables() == {"one", "alembic_version"}
    assert two.tables("logs") == {"log_one", "alembic_version"}


def test_one_of_two_databases(two: Project) -> None:
    assert two.flask("upgrade", "--bind", "logs").exit_code == 0
    assert two.tables() == set()
    assert two.tables("logs") == {"log_one", "alembic_version"}
    assert two.flask("upgrade", "--bind", "default").exit_code == 0
    assert two.tables() == {"one", "alembic_version"}


def test_a_database_that_is_there_already_keeps_its_rows(line: Project) -> None:
    line.flask("upgrade", "aa11")
    with line.engine().begin() as connection:
        connection.execute(sa.text("INSERT INTO one VALUES (7)"))
    assert line.flask("upgrade").exit_code == 0
    with line.engine().connect() as connection:
        assert connection.execute(sa.text("SELECT id FROM one")).scalars().all() == [7]


# ---- --sql -----------------------------------------------------------------------------------


def test_sql_is_printed_and_not_run(line: Project, tmp_path: Path) -> None:
    line.flask("upgrade", "aa11")
    before = snapshot(tmp_path)
    result = line.flask("upgrade", "--sql")
    assert result.exit_code == 0
    assert result.stderr == "SQL for default from aa11, where the database is.\n"
    assert result.stdout == (
        "BEGIN;\n\n"
        "-- Running upgrade aa11 -> bb22\n\n"
        "CREATE TABLE two (\n    id INTEGER NOT NULL, \n    PRIMARY KEY (id)\n);\n\n"
        "UPDATE alembic_version SET version_num='bb22' "
        "WHERE alembic_version.version_num = 'aa11';\n\n"
        "-- Running upgrade bb22 -> cc33\n\n"
        "UPDATE alembic_version SET version_num='cc33' "
        "WHERE alembic_version.version_num = 'bb22';\n\n"
        "COMMIT;\n\n"
    )
    assert snapshot(tmp_path) == before


def test_sql_of_a_range(line: Project) -> None:
    result = line.flask("upgrade", "--sql", "aa11:bb22")
    assert result.exit_code == 0
    assert "-- Running upgrade aa11 -> bb22" in result.stdout
    assert "-- Running upgrade bb22" not in result.stdout
    assert "CREATE TABLE alembic_version" not in result.stdout


def test_sql_from_nothing_makes_the_version_table(line: Project) -> None:
    result = line.flask("upgrade", "--sql", "bb22")
    assert result.stdout.startswith("BEGIN;\n\nCREATE TABLE alembic_version (")
    assert "INSERT INTO alembic_version" in result.stdout


def test_sql_that_was_printed_does_what_upgrade_does(line: Project) -> None:
    script = line.flask("upgrade", "--sql").stdout
    raw = line.engine().raw_connection()
    raw.executescript(script)
    raw.close()
    assert line.tables() == {"one", "two", "alembic_version"}
    assert line.flask("upgrade").stderr.endswith("is at cc33: nothing to do.\n")


def test_sql_into_a_file(line: Project, tmp_path: Path) -> None:
    printed = line.flask("upgrade", "--sql").stdout
    result = line.flask("upgrade", "--sql", "-o", str(tmp_path / "all.sql"))
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'all.sql'}\n")
    assert (tmp_path / "all.sql").read_text().rstrip() == printed.rstrip()


def test_an_output_file_asks_for_sql(line: Project, tmp_path: Path) -> None:
    assert line.flask("upgrade", "-o", str(tmp_path / "all.sql")).exit_code == 0
    assert rows(line) == []


def test_sql_of_two_databases_is_told_apart(two: Project) -> None:
    result = two.flask("upgrade", "--sql")
    assert result.exit_code == 0
    first, second = result.stdout.split("-- bind logs\n")
    assert first.startswith("-- bind default\n")
    assert "CREATE TABLE one" in first
    assert "CREATE TABLE log_one" in second
    assert result.stderr.splitlines() == [
        "SQL for default from base, where the database is.",
        "SQL for logs from base, where the database is.",
    ]


def test_sql_of_two_databases_goes_into_two_files(two: Project, tmp_path: Path) -> None:
    result = two.flask("upgrade", "--sql", "-o", str(tmp_path / "out.sql"))
    paths = [tmp_path / "out.default.sql", tmp_path / "out.logs.sql"]
    assert result.stdout == "".join(f"{path}\n" for path in paths)
    assert "CREATE TABLE one" in paths[0].read_text()
    assert "CREATE TABLE log_one" in paths[1].read_text()


def test_sql_of_two_databases_into_a_folder(two: Project, tmp_path: Path) -> None:
    result = two.flask("upgrade", "--sql", "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["default.sql", "logs.sql"]


def test_an_output_that_cannot_be_written(line: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = line.flask("upgrade", "--sql", "-o", str(tmp_path / "file" / "out.sql"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Error: {tmp_path / 'file' / 'out.sql'} cannot be written: " in result.stderr
    assert "Traceback" not in result.stderr


def test_sql_of_a_revision_that_reads_the_database(line: Project) -> None:
    add_revision(line, "dd44", "cc33", up='op.get_bind().execute(sa.text("SELECT 1")).scalar()')
    result = line.flask("upgrade", "--sql", "cc33:dd44")
    assert result.exit_code == 1
    assert "--sql" in result.stderr
    assert "dd44" in result.stderr
    assert "Traceback" not in result.stderr


def test_sql_with_an_unknown_start(line: Project) -> None:
    result = line.flask("upgrade", "--sql", "9f1c:cc33")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: No revision is called 9f1c")
