"""``flask db show``."""

from __future__ import annotations

import pytest

from tests.conftest import Project

from .conftest import add_revision


def test_the_head(line: Project) -> None:
    result = line.flask("show")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "Rev: cc33 (head)\n"
        "Parent: bb22\n"
        f"Path: {line.path}/migrations/versions/cc33.py\n"
        "\n"
        "    make cc33\n"
        "    \n"
        "    Revision ID: cc33\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("symbol", "id"),
    [("aa11", "aa11"), ("bb", "bb22"), ("head", "cc33"), ("head-1", "bb22"), ("base+1", "aa11")],
)
def test_by_any_symbol(line: Project, symbol: str, id: str) -> None:
    assert line.flask("show", symbol).stdout.splitlines()[0].startswith(f"Rev: {id}")


def test_a_label(fork: Project) -> None:
    lines = fork.flask("show", "shop").stdout.splitlines()
    assert lines[0] == "Rev: bb22 (head)"
    assert "Branch names: shop" in lines


def test_all_heads(fork: Project) -> None:
    result = fork.flask("show", "heads")
    assert [line for line in result.stdout.splitlines() if line.startswith("Rev")] == [
        "Rev: bb22 (head)",
        "Rev: cc33 (head)",
    ]


def test_current(line: Project) -> None:
    line.flask("upgrade", "bb22")
    assert line.flask("show", "current").stdout.startswith("Rev: bb22\n")


def test_a_merge_with_a_dependency(fork: Project) -> None:
    add_revision(fork, "xx11")
    add_revision(fork, "dd44", ("bb22", "cc33"), depends="xx11")
    lines = fork.flask("show", "dd44").stdout.splitlines()
    assert lines[0] == "Rev: dd44 (head) (mergepoint)"
    assert lines[1] == "Merges: bb22, cc33"
    assert lines[2] == "Also depends on: xx11"


def test_what_no_revision_has(line: Project) -> None:
    result = line.flask("show", "9f1c")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: No revision is called 9f1c, and no id begins like that.\n"
        "The revisions of this folder: flask db history\n"
    )
