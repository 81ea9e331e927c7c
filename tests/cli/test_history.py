"""``flask db history``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

from .conftest import add_revision, snapshot

ALL = {
    "cc33": "bb22 -> cc33 (head), make cc33\n",
    "bb22": "aa11 -> bb22, add two\n",
    "aa11": "<base> -> aa11, add one\n",
}


def text(*ids: str) -> str:
    return "".join(ALL[id] for id in ids)


def test_newest_first(line: Project) -> None:
    result = line.flask("history")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == text("cc33", "bb22", "aa11")


def test_it_touches_no_database(line: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    line.flask("history", "--verbose")
    assert snapshot(tmp_path) == before


def test_no_revisions(project: Project) -> None:
    result = project.flask("history")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("range_", "ids"),
    [
        ("aa11:bb22", ["bb22", "aa11"]),
        ("bb22:", ["cc33", "bb22"]),
        (":bb22", ["bb22", "aa11"]),
        (":", ["cc33", "bb22", "aa11"]),
        ("base:head", ["cc33", "bb22", "aa11"]),
        ("bb:cc", ["cc33", "bb22"]),
        ("aa11:aa11", ["aa11"]),
        ("current:", ["cc33", "bb22"]),
        (":current", ["bb22", "aa11"]),
        ("-2:", ["cc33", "bb22", "aa11"]),
        ("-1:", ["cc33", "bb22"]),
        ("aa11:+1", ["bb22", "aa11"]),
        ("current:+1", ["cc33", "bb22"]),
    ],
)
def test_a_range(line: Project, range_: str, ids: list[str]) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("history", "-r", range_)
    assert (result.exit_code, result.stdout) == (0, text(*ids)), result.stderr


@pytest.mark.parametrize("args", [["-r-1:"], ["--rev-range=-1:"], ["--rev-range", "-1:"]])
def test_a_range_that_begins_with_a_dash(line: Project, args: list[str]) -> None:
    assert line.flask("history", *args).stdout == text("cc33", "bb22")


def test_what_is_not_a_range(line: Project) -> None:
    result = line.flask("history", "-r", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == ("Error: aa11 is not a range.\nA range is BASE:HEAD, BASE: or :HEAD.\n")


def test_a_range_the_wrong_way_round(line: Project) -> None:
    result = line.flask("history", "-r", "cc33:aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: cc33 is not below aa11.\n"


def test_indicate_current(line: Project) -> None:
    line.flask("upgrade", "bb22")
    result = line.flask("history", "--indicate-current")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "bb22 -> cc33 (head), make cc33\naa11 -> bb22 (current), add two\n<base> -> aa11, add one\n"
    )


def test_indicate_current_at_head(line: Project) -> None:
    line.flask("upgrade")
    first = line.flask("history", "-i").stdout.splitlines()[0]
    assert first == "bb22 -> cc33 (head) (current), make cc33"


def test_from_the_two_revisions_a_database_is_at(fork: Project) -> None:
    """As Alembic does: `current` may be more than one."""
    fork.flask("upgrade", "heads")
    add_revision(fork, "dd44", ("bb22", "cc33"))
    result = fork.flask("history", "-r", "current:")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0].endswith("make dd44")
    assert len(result.stdout.splitlines()) == 3


def test_verbose(line: Project) -> None:
    result = line.flask("history", "-v", "-r", "bb22:bb22")
    assert result.stdout == (
        "Rev: bb22\n"
        "Parent: aa11\n"
        f"Path: {line.path}/migrations/versions/bb22.py\n"
        "\n"
        "    add two\n"
        "    \n"
        "    Revision ID: bb22\n"
        "\n"
    )


def test_branches_and_merges(fork: Project) -> None:
    add_revision(fork, "dd44", ("bb22", "cc33"))
    lines = fork.flask("history").stdout.splitlines()
    assert lines[0] == "bb22, cc33 -> dd44 (shop, till) (head) (mergepoint), make dd44"
    assert set(lines[1:3]) == {
        "aa11 -> bb22 (shop), make bb22",
        "aa11 -> cc33 (till), make cc33",
    }
    assert lines[3] == "<base> -> aa11 (branchpoint), make aa11"


def test_dependencies(project: Project) -> None:
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    assert "<base> (aa11) -> xx11 (head), make xx11\n" in project.flask("history").stdout


def test_a_drawing(fork: Project) -> None:
    fork.flask("upgrade", "aa11")
    result = fork.flask("history", "--graph")
    assert result.exit_code == 0
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("* ")
    assert "(pending)" in first
    assert last == "* aa11 make aa11"
    drawn = fork.flask("history", "--format", "mermaid").stdout
    assert drawn.startswith("flowchart BT\n")
    assert '  r_aa11["aa11<br>make aa11"]:::applied\n' in drawn
