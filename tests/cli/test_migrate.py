"""``flask db migrate``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot, versions


def test_it_writes_a_file_and_prints_its_path(project: Project) -> None:
    result = project.flask("migrate", "-m", "add user", "--rev-id", "aa11")
    assert result.exit_code == 0
    path = Path(result.stdout.rstrip("\n"))
    assert versions(project) == [path.name]
    assert path.name.endswith("-aa11_add_user.py")
    assert 'op.create_table("user"' in path.read_text().replace("'", '"')
    assert result.stderr == (
        "  + table user\n"
        "Wrote revision aa11 (add user), after base.\n"
        "Read the file, then:  flask db upgrade\n"
    )


def test_the_database_stays_as_it_is(project: Project) -> None:
    project.flask("migrate", "-m", "add user")
    assert project.tables() == set()


def test_nothing_to_do_writes_no_file(project: Project) -> None:
    project.flask("migrate", "-m", "add user")
    project.flask("upgrade")
    before = versions(project)
    result = project.flask("migrate", "-m", "nothing")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No changes in schema detected.\n"
    assert versions(project) == before


def test_a_database_that_is_behind_is_not_compared(line: Project, url: str, tmp_path: Path) -> None:
    line.flask("upgrade", "aa11")
    before = snapshot(tmp_path)
    result = line.flask("migrate", "-m", "add user")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {url} is at aa11, 2 revisions behind head cc33 (add two, make cc33).\n"
        "Run:  flask db upgrade   (or both at once:  flask db migrate --upgrade)\n"
    )
    assert snapshot(tmp_path) == before


def test_two_heads_are_named(fork: Project) -> None:
    result = fork.flask("migrate", "-m", "add user")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The revisions end in 2 heads:\n  bb22  make bb22  (")
    assert "flask db merge" in result.stderr
    assert len(versions(fork)) == 3


def test_each_bind_has_its_functions(two: Project) -> None:
    two.flask("upgrade")
    result = two.flask("migrate", "-m", "add all", "--allow-drop")
    assert result.exit_code == 0
    text = Path(result.stdout.rstrip("\n")).read_text()
    assert "def upgrade() -> None:" in text
    assert "def upgrade_logs() -> None:" in text
    assert "def downgrade_logs() -> None:" in text


def test_only_one_bind(two: Project) -> None:
    two.flask("upgrade")
    result = two.flask("migrate", "-m", "add log", "--bind", "logs", "--allow-drop")
    assert result.exit_code == 0
    text = Path(result.stdout.rstrip("\n")).read_text()
    assert "def upgrade_logs() -> None:" in text
    assert '"user"' not in text.replace("'", '"')


def test_the_options_of_revision(line: Project, tmp_path: Path) -> None:
    line.flask("upgrade", "cc33")
    result = line.flask(
        "migrate", "-m", "add user", "--rev-id", "dd44", "--branch-label", "people",
        "--head", "cc33", "--depends-on", "aa11", "--allow-drop",
    )  # fmt: skip
    text = Path(result.stdout.rstrip("\n")).read_text().replace("'", '"')
    assert 'revision = "dd44"' in text
    assert 'down_revision = "cc33"' in text
    assert 'branch_labels = ("people",)' in text
    assert 'depends_on = "aa11"' in text


def test_sql_makes_no_sense_without_a_database_to_compare(project: Project, tmp_path: Path) -> None:
    """Alembic says the same: "Using --sql with --autogenerate does not make any sense"."""
    before = snapshot(tmp_path)
    result = project.flask("migrate", "--sql", "-m", "add user")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert "--sql" in result.stderr
    assert snapshot(tmp_path) == before


def test_sql_is_refused_as_well_while_a_revision_is_pending(line: Project) -> None:
    result = line.flask("migrate", "--sql", "-m", "add user")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")


def test_without_a_message_it_is_made_of_the_changes(project: Project) -> None:
    result = project.flask("migrate", "--rev-id", "aa11")
    assert result.exit_code == 0
    assert Path(result.stdout.rstrip("\n")).name.endswith("-aa11_add_user.py")
    assert "Wrote revision aa11 (add user), after base." in result.stderr


def test_what_alembic_says_is_shown_once_when_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = project.flask("migrate", "-m", "add user")
    assert "Detected" not in result.stderr
    Path(result.stdout.rstrip("\n")).unlink()
    monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
    result = project.flask("migrate", "-m", "add user")
    assert result.stderr.count("Detected added table") == 1


@pytest.mark.parametrize("down", ["aa11"])
def test_up_down_up(project: Project, down: str) -> None:
    add_revision(project, down)
    project.flask("upgrade")
    project.flask("migrate", "-m", "add user", "--rev-id", "bb22", "--allow-drop")
    for _ in range(2):
        assert project.flask("upgrade").exit_code == 0
        assert project.tables() == {"user", "alembic_version"}
        assert project.flask("downgrade").exit_code == 0
        assert project.tables() == {"alembic_version"}
    assert rows(project) == [down]
