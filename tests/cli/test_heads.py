"""``flask db heads``."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Project

from .conftest import add_revision, snapshot


def test_one(line: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("heads")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "cc33 (head)\n", "")
    assert snapshot(tmp_path) == before


def test_two(fork: Project) -> None:
    assert fork.flask("heads").stdout == "bb22 (shop) (head)\ncc33 (till) (head)\n"


def test_none(project: Project) -> None:
    result = project.flask("heads")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_verbose(line: Project) -> None:
    assert line.flask("heads", "-v").stdout.startswith("Rev: cc33 (head)\nParent: bb22\nPath: ")


def test_a_head_that_another_one_depends_on(project: Project) -> None:
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    assert project.flask("heads").stdout == "aa11 (effective head)\nxx11 (head)\n"
    assert project.flask("heads", "--resolve-dependencies").stdout == "xx11 (head)\n"
