"""``flask db edit``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

from .conftest import rows


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which an editor notes what it was opened with."""
    noted = tmp_path / "edited.txt"
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho "$@" >> "{noted}"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    return noted


def path(project: Project, revision: str) -> Path:
    return project.path / "migrations/versions" / f"{revision}.py"


def test_the_head(line: Project, edited: Path) -> None:
    result = line.flask("edit")
    assert (result.exit_code, result.stdout) == (0, "")
    assert edited.read_text() == f"{path(line, 'cc33')}\n"


def test_one_by_the_beginning_of_its_id(line: Project, edited: Path) -> None:
    assert line.flask("edit", "aa").exit_code == 0
    assert edited.read_text() == f"{path(line, 'aa11')}\n"


def test_steps_from_the_head(line: Project, edited: Path) -> None:
    assert line.flask("edit", "head-1").exit_code == 0
    assert edited.read_text() == f"{path(line, 'bb22')}\n"


def test_where_the_database_is(line: Project, edited: Path) -> None:
    line.flask("upgrade", "bb22")
    assert line.flask("edit", "current").exit_code == 0
    assert edited.read_text() == f"{path(line, 'bb22')}\n"
    assert rows(line) == ["bb22"]


def test_nothing_to_edit_is_an_error(project: Project, edited: Path) -> None:
    result = project.flask("edit")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert not edited.exists()


def test_two_heads_are_named(fork: Project, edited: Path) -> None:
    result = fork.flask("edit")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The revisions end in 2 heads:\n")
    assert not edited.exists()


def test_an_editor_that_is_not_there(line: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    monkeypatch.delenv("VISUAL", raising=False)
    result = line.flask("edit")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "/no/such/editor" in result.stderr
