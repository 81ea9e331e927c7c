"""``flask db check``."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Project

from .conftest import snapshot


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
