"""Where the databases stand: also those that are away, or know more than the files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import HistoryError
from tests.conftest import Project, ProjectMaker, git

REVISION = '''"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}


def upgrade():
    op.create_table("t_{id}", sa.Column("id", sa.Integer))


def downgrade():
    op.drop_table("t_{id}")
'''


@pytest.fixture
def line(make_project: ProjectMaker, bind_url: str) -> Project:
    """Three revisions in a line; nothing is applied."""
    project = make_project(bind_url)
    add(project, "aa11", None)
    add(project, "bb22", "aa11")
    add(project, "cc33", "bb22")
    return project


def add(project: Project, id: str, down: str | None) -> Path:
    text = REVISION.format(id=id, down=down, message=f"add {id}")
    return project.write(f"{id}_add.py", text)


def states(project: Project) -> dict[str, str]:
    (database,) = project.repository.status().databases
    return {one.id: one.state for one in database.revisions}


def test_applied_and_pending(line: Project) -> None:
    assert states(line) == {"aa11": "pending", "bb22": "pending", "cc33": "pending"}
    line.flask("upgrade", "bb22")
    status = line.repository.status()
    assert (status.heads, status.ok) == (("cc33",), False)
    (database,) = status.databases
    assert database.rows == ("bb22",)
    assert [one.id for one in database.pending] == ["cc33"]
    assert states(line) == {"aa11": "applied", "bb22": "applied", "cc33": "pending"}
    line.flask("upgrade")
    assert line.repository.status().ok


def test_when_and_by_whom(line: Project) -> None:
    line.app.config["MIGRATE_APP_VERSION"] = "1.2"
    line.flask("upgrade", "bb22")
    line.flask("downgrade")
    line.flask("stamp", "cc33")
    (database,) = line.repository.status().databases
    first, second, third = database.revisions
    assert first.ran is not None
    assert (first.ran.message, first.ran.app_version) == ("add aa11", "1.2")
    assert first.ran.seconds is not None
    assert second.ran is None  # it was taken back, and then stamped
    assert third.ran is None
    assert third.state == "applied"


def test_what_is_printed(line: Project) -> None:
    line.flask("upgrade", "aa11")
    result = line.flask("status")
    assert result.exit_code == 0
    first, applied, *pending = result.stdout.splitlines()
    assert first.endswith(" is at aa11, 2 revisions behind cc33.")
    assert applied.startswith("  applied  aa11  add aa11  20")
    assert pending == ["  pending  bb22  add bb22", "  pending  cc33  add cc33"]


def test_as_json(line: Project) -> None:
    line.flask("upgrade", "aa11")
    found = json.loads(line.flask("status", "--json").stdout)
    (database,) = found["databases"]
    assert found["heads"] == ["cc33"]
    assert database["rows"] == ["aa11"]
    assert [one["state"] for one in database["revisions"]] == ["applied", "pending", "pending"]
    assert database["revisions"][0]["ran"]["outcome"] == "done"


def test_an_exit_code_for_ci(line: Project) -> None:
    assert line.flask("status", "--exit-code").exit_code == 3
    line.flask("upgrade")
    assert line.flask("status", "--exit-code").exit_code == 0


def test_a_file_that_was_edited_after_it_ran(line: Project) -> None:
    line.flask("upgrade")
    path = line.path / "migrations" / "versions" / "bb22_add.py"
    os.utime(path)
    assert states(line)["bb22"] == "applied"  # touched, and still the same
    path.write_text(path.read_text() + "# more\n")
    assert states(line) == {"aa11": "applied", "bb22": "changed", "cc33": "applied"}
    assert not line.repository.status().ok


def test_a_file_that_is_gone(line: Project) -> None:
    line.flask("upgrade")
    (line.path / "migrations" / "versions" / "cc33_add.py").unlink()
    (database,) = line.repository.status().databases
    # What it stood on is known from the history of runs.
    assert states(line) == {"aa11": "applied", "bb22": "applied", "cc33": "missing"}
    assert database.revisions[-1].message == "add cc33"
    assert "is at revision cc33, which no file in " in database.problem
    result = line.flask("status")
    assert result.exit_code == 0
    assert "  missing  cc33  add cc33  20" in result.stdout


def test_no_version_table(line: Project) -> None:
    (database,) = line.repository.status().databases
    assert (database.rows, database.problem) == (None, "")
    assert "is at base (no version table), 3 revisions behind cc33." in line.flask("status").stdout


def test_a_server_that_is_away(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none")
    add(project, "aa11", None)
    result = project.flask("status")
    assert result.exit_code == 0
    assert "does not answer" in result.stdout
    assert "  unknown  aa11  add aa11" in result.stdout


def test_each_bind(make_project: ProjectMaker, make_database: object, url: str) -> None:
    project = make_project(url, binds={"logs": url.replace(".db", "_logs.db")})
    add(project, "aa11", None)
    project.flask("upgrade", "--bind", "logs")
    default, logs = project.repository.status().databases
    assert [one.state for one in default.revisions] == ["pending"]
    assert [one.state for one in logs.revisions] == ["applied"]
    (only,) = project.repository.status("logs").databases
    assert only == logs


def test_two_heads_are_told(line: Project) -> None:
    add(line, "dd44", "bb22")
    result = line.flask("status")
    assert "The history has 2 heads: cc33, dd44.\nJoin them:  flask db merge\n" in result.stderr
    assert line.repository.status().branch_points == ("bb22",)


# ---- git -------------------------------------------------------------------------------------


@pytest.fixture
def lost(line: Project) -> Project:
    """The database is at a revision that another branch has."""
    git(line.path, "init", "-q")
    git(line.path, "add", ".")
    git(line.path, "commit", "-qm", "three")
    git(line.path, "checkout", "-qb", "feature/grades")
    path = add(line, "9f1c", "cc33")
    git(line.path, "add", ".")
    git(line.path, "commit", "-qm", "grades")
    line.flask("upgrade")
    path.unlink()
    git(line.path, "checkout", "-qf", "main")
    return line


def test_git_knows_where_it_was_written(lost: Project) -> None:
    with pytest.raises(HistoryError) as caught:
        lost.repository.upgrade()
    assert "is at revision 9f1c, which no file in " in str(caught.value)
    assert "It was written on branch feature/grades (commit " in str(caught.value)
    assert caught.value.hint == "Check that branch out:  git checkout feature/grades"


def test_a_branch_that_is_gone_too(lost: Project) -> None:
    git(lost.path, "branch", "-D", "feature/grades")
    with pytest.raises(HistoryError) as caught:
        lost.repository.upgrade()
    assert "It was written" not in str(caught.value)  # no branch leads to that commit any more
    assert "renamed or deleted, or never committed" in caught.value.hint


def test_without_git(lost: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(lost.path))
    with pytest.raises(HistoryError, match="renamed or deleted, or never committed"):
        lost.repository.upgrade()


def test_a_row_that_is_no_name(line: Project) -> None:
    line.flask("upgrade")
    with line.engine().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '*; rm -rf'"))
    with pytest.raises(HistoryError, match="renamed or deleted, or never committed"):
        line.repository.upgrade()
