"""The dead ends of the field lead on: what is, for whom, and the command that comes next.

One test for each message that VOICE promises, on all of its text and the exit code.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user, git

from .conftest import APP, add_revision, add_table, run_flask


def fails(project: Project, *args: str) -> str:
    """Run a command that has to fail; return what it says."""
    result = project.flask(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    text: str = result.stderr
    return text


def test_models_that_are_not_imported(tmp_path: Path) -> None:
    source = APP.format(path=tmp_path).partition("\n\nclass User")[0]
    (tmp_path / "app.py").write_text(source)
    (tmp_path / "exam").mkdir()
    (tmp_path / "exam" / "__init__.py").touch()
    models = tmp_path / "exam" / "models.py"
    models.write_text("from app import db\n\n\n\nclass ExamQuestionModel(db.Model):\n    pass\n")
    run_flask(tmp_path, "db", "init")
    done = run_flask(tmp_path, "db", "migrate", "-m", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: No model is loaded: db.Model.metadata has 0 tables. "
        f"{models}:5 defines ExamQuestionModel, and nothing imports it.\n"
        'Import it in create_app(), or:  Migrate(app, db, models=["exam.models"])\n'
    )


def test_a_database_that_is_behind(line: Project, url: str) -> None:
    line.flask("upgrade", "aa11")
    assert fails(line, "migrate", "-m", "x") == (
        f"Error: {url} is at aa11, 2 revisions behind head cc33 (add two, make cc33).\n"
        "Run:  flask db upgrade   (or both at once:  flask db migrate --upgrade)\n"
    )


@pytest.fixture
def lost(line: Project) -> Project:
    """The database is at 9f1c, which only the branch feature/grades has."""
    git(line.path, "init", "-q")
    git(line.path, "add", ".")
    git(line.path, "commit", "-qm", "three")
    git(line.path, "checkout", "-qb", "feature/grades")
    add_revision(line, "9f1c", "cc33")
    git(line.path, "add", ".")
    git(line.path, "commit", "-qm", "grades")
    line.flask("upgrade")
    git(line.path, "checkout", "-qf", "main")
    return line


def commit_of(project: Project, branch: str) -> str:
    asked = ["git", "-C", str(project.path), "log", "-1", "--format=%h", branch]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def test_a_revision_of_another_branch(lost: Project) -> None:
    assert fails(lost, "upgrade") == (
        f"Error: The database is at revision 9f1c, which no file in "
        f"{lost.path / 'migrations' / 'versions'} has. It was written on branch feature/grades "
        f"(commit {commit_of(lost, 'feature/grades')}).\n"
        "Check that branch out:  git checkout feature/grades\n"
    )


def test_where_an_unknown_revision_stands(lost: Project) -> None:
    result = lost.flask("status")
    assert result.exit_code == 0
    assert " It stands on cc33, says the history of runs.\n" in result.stdout


def test_a_detached_head(lost: Project) -> None:
    git(lost.path, "checkout", "-q", "--detach", "main")
    assert "It was written on branch feature/grades (commit " in fails(lost, "upgrade")


def test_a_file_that_was_renamed(line: Project) -> None:
    """The id counts, not the name of the file."""
    line.flask("upgrade", "bb22")
    folder = line.path / "migrations" / "versions"
    (folder / "aa11.py").rename(folder / "0001_first.py")
    (folder / "bb22.py").rename(folder / "0002_second.py")
    result = line.flask("status", "--exit-code")
    assert result.exit_code == 3  # cc33 is pending
    assert "changed" not in result.stdout
    assert "missing" not in result.stdout
    assert line.flask("upgrade").exit_code == 0


def test_a_database_that_create_all_made(project: Project, url: str) -> None:
    with project.app.app_context():
        project.db.create_all()
    assert fails(project, "migrate", "-m", "x") == (
        f"Error: {url} has user and no version: db.create_all() made them.\n"
        "Adopt the database once with:  flask db baseline\n"
    )


def test_a_rename_without_a_terminal(make_project: ProjectMaker, url: str) -> None:
    first = make_project(url)
    first.flask("migrate", "-m", "user")
    first.flask("upgrade")

    def renamed(db: Any) -> None:
        columns = [sa.Column("id", sa.Integer, primary_key=True)]
        db.Table("user", *columns, sa.Column("full_name", sa.String(50)))

    directory = first.path / "migrations"
    second = make_project(url, models=renamed, folder="second", directory=directory)
    text = fails(second, "migrate", "-m", "x")
    assert "user.name is gone and user.full_name (same type) is new." in text
    assert "--rename user.name:full_name" in text
    assert "--drop user.name" in text


def test_two_heads(fork: Project) -> None:
    folder = fork.path / "migrations" / "versions"
    git(fork.path, "init", "-q")
    git(fork.path, "add", str(folder / "bb22.py"))
    git(fork.path, "commit", "-qm", "bb22")
    assert fails(fork, "upgrade") == (
        "Error: The revisions end in 2 heads:\n"
        f"  bb22  make bb22  ({folder / 'bb22.py'}, by Ann)\n"
        f"  cc33  make cc33  ({folder / 'cc33.py'})\n"
        'Join them:  flask db merge -m "merge"   (or go to all of them:  flask db upgrade heads)\n'
    )


def test_rights_that_are_missing(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    url = sa.make_url(make_database("postgresql"))
    role = f"poor_{url.database}"
    owner = sa.create_engine(url)
    with owner.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
    try:
        poor = url.set(username=role).render_as_string(hide_password=False)
        project = make_project(poor)
        add_table(project, "aa11", None, "one")
        text = fails(project, "upgrade")
        assert text.startswith("Error: The database refused: permission denied for schema public")
        assert text.endswith(
            "The user of this URL may not do that: give it the right, or run the command with the "
            "URL of one that has it.\n"
        )
        with project.app.app_context():
            project.db.engine.dispose()
    finally:
        with owner.begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {role}")
        owner.dispose()


def test_an_application_that_asks_for_rows_while_it_is_created(tmp_path: Path) -> None:
    source = APP.format(path=tmp_path)
    (tmp_path / "app.py").write_text(f"{source}\nwith app.app_context():\n    User.query.first()\n")
    done = run_flask(tmp_path, "db", "upgrade")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The application does not load: OperationalError: no such table: user\n"
        f"  {tmp_path / 'app.py'}, line 16\n"
        "It asks the database for something while it is being created, before there are tables. "
        "Move that into a request or a command.\n"
    )


# ---- what others left in the database ------------------------------------------------------------


def test_a_history_of_runs_of_a_newer_version(line: Project) -> None:
    """It has a column more, and an outcome that nobody here knows."""
    line.flask("upgrade", "aa11")
    with line.engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version_runs ADD COLUMN mood TEXT")
        connection.exec_driver_sql("UPDATE alembic_version_runs SET mood = 'calm'")
        connection.exec_driver_sql(
            "INSERT INTO alembic_version_runs (revision, direction, outcome) "
            "VALUES ('aa11', 'sideways', 'half')"
        )
    result = line.flask("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "  applied  aa11  add one  20" in result.stdout
    assert "sideways" in line.flask("runs").stdout
    assert line.flask("upgrade").exit_code == 0
    assert line.flask("doctor").exit_code == 0


def test_the_tables_of_another_application(make_project: ProjectMaker, url: str) -> None:
    """With its own version table under the name that both have."""
    other = make_project(url, folder="other")
    add_table(other, "0a0a", None, "theirs")
    other.flask("upgrade")
    mine = make_project(url, folder="mine")
    add_table(mine, "aa11", None, "one")
    text = fails(mine, "upgrade")
    assert text.startswith("Error: The database is at revision 0a0a, which no file in ")
    assert "renamed or deleted, or never committed" in text
    shown = mine.flask("status").stdout
    assert "  missing  0a0a  add theirs" in shown
    assert "  pending  aa11  add one" in shown


def test_the_tables_of_another_application_with_a_version_table_of_its_own(
    make_project: ProjectMaker, url: str
) -> None:
    other = make_project(url, folder="other", version_table="their_version")
    add_table(other, "0a0a", None, "theirs")
    other.flask("upgrade")
    mine = make_project(url, folder="mine", models=define_user)
    mine.flask("migrate", "-m", "user")
    assert mine.flask("upgrade").exit_code == 0
    assert mine.flask("check", "--all").exit_code == 0
    assert "theirs" not in mine.flask("check").stdout
