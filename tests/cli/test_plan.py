"""``--plan`` and ``--check``, ``sql`` and ``show --ops``: what would be done, and nothing done."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot


def test_the_plan_of_an_upgrade(line: Project, url: str, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("upgrade", "--plan")
    assert (result.exit_code, result.stderr) == (0, "Nothing was run.\n")
    assert result.stdout == (
        f"{url} is at base: 3 revisions to run.\n"
        "[1/3] aa11 add one\n"
        "  create table one\n"
        "[2/3] bb22 add two\n"
        "  create table two\n"
        "[3/3] cc33 make cc33\n"
        "  nothing\n"
    )
    assert snapshot(tmp_path) == before


def test_the_plan_of_a_downgrade(line: Project, url: str) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("downgrade", "--plan", "base")
    assert result.stdout == (
        f"{url} is at bb22: 2 revisions to run.\n"
        "[1/2] downgrade bb22 add two\n"
        "  drop table two\n"
        "[2/2] downgrade aa11 add one\n"
        "  drop table one\n"
    )
    assert rows(line) == ["bb22"]


def test_a_plan_without_steps(line: Project, url: str) -> None:
    line.flask("upgrade")
    assert line.flask("upgrade", "--plan").stdout == f"{url} is at cc33: nothing to do.\n"


def test_a_plan_as_json(line: Project, url: str) -> None:
    found = json.loads(line.flask("upgrade", "--plan", "--json", "aa11").stdout)
    assert found == {
        "verb": "upgrade",
        "target": "aa11",
        "databases": [
            {
                "bind": "default",
                "url": url,
                "before": [],
                "steps": [
                    {
                        "revision": "aa11",
                        "message": "add one",
                        "direction": "upgrade",
                        "path": str(line.path / "migrations/versions/aa11.py"),
                        "operations": [
                            {
                                "bind": "default",
                                "text": "create table one",
                                "risk": "",
                                "level": "",
                            }
                        ],
                    }
                ],
            }
        ],
    }


def test_json_without_a_plan(line: Project) -> None:
    result = line.flask("upgrade", "--json")
    assert result.exit_code == 2
    assert "--json goes with --plan." in result.stderr
    assert rows(line) == []


def test_what_is_lost_comes_with_its_rows(line: Project) -> None:
    add_revision(line, "dd44", "cc33", up='op.drop_table("one")')
    line.flask("upgrade", "cc33")
    with line.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO one VALUES (1), (2)")
    assert "  drop table one (2 rows)\n" in line.flask("upgrade", "--plan").stdout


def test_binds(two: Project) -> None:
    result = two.flask("upgrade", "--plan")
    assert "  create table one\nlogs: sqlite:///" in result.stdout
    assert result.stdout.endswith("  create table log_one\n")


def test_something_is_pending(line: Project, url: str, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("upgrade", "--check")
    assert result.exit_code == 1
    assert result.stdout == f"{url} is at base, 3 revisions pending: aa11, bb22, cc33\n"
    assert result.stderr == "Run:  flask db upgrade\n"
    assert line.flask("upgrade", "--check", "--exit-code").exit_code == 3
    assert snapshot(tmp_path) == before


def test_nothing_is_pending(line: Project) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("upgrade", "--check", "bb22")
    assert (result.exit_code, result.stdout) == (0, "Nothing is pending.\n")
    assert line.flask("upgrade", "--check", "--exit-code", "aa11").exit_code == 0
    assert line.flask("upgrade", "--check").exit_code == 1
    assert line.flask("upgrade", "--check", "--", "+1").exit_code == 1


def test_pending_on_one_bind(two: Project) -> None:
    two.flask("upgrade", "--bind", "logs")
    assert two.flask("upgrade", "--check", "--bind", "logs").exit_code == 0
    assert two.flask("upgrade", "--check").exit_code == 1


def test_a_crash_is_not_a_finding(line: Project) -> None:
    assert line.flask("upgrade", "--check", "--exit-code", "zz99").exit_code == 1


def test_the_sql_of_one_revision(line: Project) -> None:
    result = line.flask("sql", "bb22")
    assert result.exit_code == 0
    assert result.stderr == "SQL for default from aa11.\n"
    assert "CREATE TABLE two" in result.stdout
    assert "CREATE TABLE one" not in result.stdout
    down = line.flask("sql", "bb22", "--down")
    assert "DROP TABLE two" in down.stdout
    assert "SET version_num='aa11'" in down.stdout


def test_the_sql_of_a_merge(fork: Project) -> None:
    add_revision(fork, "dd44", ("bb22", "cc33"))
    up = fork.flask("sql", "dd44").stdout
    assert "DELETE FROM alembic_version WHERE alembic_version.version_num = 'bb22'" in up
    assert "SET version_num='dd44'" in up
    down = fork.flask("sql", "dd44", "--down").stdout
    # Alembic takes them in any order.
    assert "INSERT INTO alembic_version (version_num) VALUES (" in down
    assert "WHERE alembic_version.version_num = 'dd44'" in down
    assert "'bb22'" in down
    assert "'cc33'" in down


def test_sql_in_a_file(line: Project, tmp_path: Path) -> None:
    path = tmp_path / "out" / "bb22.sql"
    result = line.flask("sql", "bb22", "-o", str(path))
    assert result.stdout == f"{path}\n"
    assert "CREATE TABLE two" in path.read_text()


def test_the_operations_of_a_revision(line: Project) -> None:
    result = line.flask("show", "bb22", "--ops")
    assert (result.exit_code, result.stdout) == (0, "upgrade bb22 add two\n  create table two\n")
    result = line.flask("show", "bb22", "--ops", "--down")
    assert result.stdout == "downgrade bb22 add two\n  drop table two\n"
    found = json.loads(line.flask("show", "bb22", "--ops", "--json").stdout)
    assert found["databases"][0]["steps"][0]["operations"][0]["text"] == "create table two"
    assert line.flask("show", "--json").exit_code == 2


def test_the_operations_on_each_bind(two: Project) -> None:
    assert two.flask("show", "--ops").stdout == (
        "default: upgrade aa11 add one\n  create table one\n"
        "logs: upgrade aa11 add one\n  create table log_one\n"
    )
