"""``flask db check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker

from .conftest import APP, add_revision, run_flask, snapshot


def test_models_that_the_database_does_not_have(project: Project) -> None:
    result = project.flask("check")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "New upgrade operations detected:"
    assert "op.create_table('user'," in lines[1]
    assert result.stderr.endswith(
        'Write them into a revision:  flask db migrate -m "what changes"\n'
    )


def test_models_that_the_database_has(project: Project) -> None:
    project.flask("migrate", "-m", "add user")
    project.flask("upgrade")
    result = project.flask("check")
    assert (result.exit_code, result.stdout) == (0, "No new upgrade operations detected.\n")
    assert result.stderr == ""


def test_nothing_changes(project: Project, tmp_path: Path) -> None:
    project.flask("migrate", "-m", "add user")
    project.flask("upgrade")
    before = snapshot(tmp_path)
    project.flask("check")
    assert snapshot(tmp_path) == before


def test_a_database_that_is_behind(line: Project, url: str) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {url} is at bb22, 1 revision behind head cc33 (make cc33).\n"
        "Run:  flask db upgrade   (or both at once:  flask db migrate --upgrade)\n"
    )


def test_only_one_bind(two: Project) -> None:
    two.flask("upgrade")
    result = two.flask("check", "--bind", "logs")
    assert result.exit_code == 1
    assert "'log'" in result.stdout
    assert "'user'" not in result.stdout


def test_both_binds(two: Project) -> None:
    two.flask("upgrade")
    result = two.flask("check")
    assert "'log'" in result.stdout
    assert "'user'" in result.stdout
    two.flask("migrate", "-m", "all", "--allow-drop")
    two.flask("upgrade")
    assert two.flask("check").exit_code == 0


# ---- verdicts ------------------------------------------------------------------------------------


def test_all_verdicts(project: Project) -> None:
    project.flask("migrate", "-m", "user")
    project.flask("upgrade")
    result = project.flask("check", "--all", "--exit-code")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "heads: ok, the files are one history.\n"
        "models: ok, the revisions make what the models define.\n"
        "drift: ok, the database is what the revisions made.\n"
    )


def test_each_has_a_code_of_its_own(project: Project) -> None:
    project.flask("migrate", "-m", "user")
    project.flask("upgrade")
    with project.engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE user ADD COLUMN extra INTEGER")
    assert project.flask("check", "--drift").exit_code == 1
    assert project.flask("check", "--drift", "--exit-code").exit_code == 5
    assert project.flask("check", "--exit-code").exit_code == 3
    project.db.Table("more", sa.Column("id", sa.Integer, primary_key=True))
    assert project.flask("check", "--models", "--exit-code").exit_code == 3
    assert project.flask("check", "--models", "--drift", "--exit-code").exit_code == 3
    head = project.repository.get().id
    add_revision(project, "bb22", head)
    add_revision(project, "cc33", head)
    assert project.flask("check", "--heads", "--exit-code").exit_code == 4
    assert project.flask("check", "--all", "--exit-code").exit_code == 4


def test_a_crash_is_no_finding(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none")
    add_revision(project, "aa11")
    assert project.flask("check", "--drift", "--exit-code").exit_code == 1


def test_drift_in_words(project: Project) -> None:
    project.flask("migrate", "-m", "user")
    project.flask("upgrade")
    with project.engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE user ADD COLUMN extra INTEGER")
    result = project.flask("check", "--drift")
    assert result.stdout == (
        "drift: The database is not what its revisions made.\n"
        "  - column user.extra\n"
        "  As operations:\n"
        "    op.drop_column('user', 'extra')\n"
    )
    assert result.stderr == (
        "Somebody changed the database by hand: undo it there, or write it into a revision.\n"
    )


def test_two_heads_in_words(fork: Project) -> None:
    result = fork.flask("check", "--heads")
    folder = fork.path / "migrations" / "versions"
    assert result.stdout == (
        "heads: The files are not one history.\n"
        f"  bb22 (make bb22) is one of 2 heads  ({folder / 'bb22.py'})\n"
        f"  cc33 (make cc33) is one of 2 heads  ({folder / 'cc33.py'})\n"
    )
    assert result.stderr == 'Join them:  flask db merge -m "merge"\n'


def test_annotations_for_github(fork: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: fork.path)
    monkeypatch.setattr("os.getcwd", lambda: str(fork.path))
    result = fork.flask("check", "--heads", "--format", "github")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines()[0] == (
        "::error file=migrations/versions/bb22.py,line=1,"
        "title=heads%3A The files are not one history::"
        'bb22 (make bb22) is one of 2 heads%0AJoin them:  flask db merge -m "merge"'
    )


def test_verdicts_as_json(project: Project) -> None:
    found = json.loads(project.flask("check", "--json").stdout)
    (verdict,) = found["verdicts"]
    assert verdict["name"] == "database"
    assert verdict["findings"][0]["text"] == "+ table user"
    assert verdict["operations"][0].startswith("op.create_table('user',")


def test_where_a_model_is(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    run_flask(tmp_path, "db", "init")
    result = run_flask(tmp_path, "db", "check", "--models")
    assert result.stdout.splitlines()[1] == f"  + table user  ({tmp_path / 'app.py'}:12)"
