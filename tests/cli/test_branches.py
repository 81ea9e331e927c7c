"""``flask db branches``."""

from __future__ import annotations

from tests.conftest import Project


def test_where_the_history_forks(fork: Project) -> None:
    result = fork.flask("branches")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "aa11 (branchpoint)\n     -> bb22 (shop) (head)\n     -> cc33 (till) (head)\n\n"
    )


def test_verbose(fork: Project) -> None:
    result = fork.flask("branches", "-v")
    assert result.stdout == (
        "Rev: aa11 (branchpoint)\n"
        "Parent: <base>\n"
        "Branches into: bb22, cc33\n"
        f"Path: {fork.path}/migrations/versions/aa11.py\n"
        "\n"
        "    make aa11\n"
        "    \n"
        "    Revision ID: aa11\n"
        "\n"
        "     -> bb22 (shop) (head), make bb22\n"
        "     -> cc33 (till) (head), make cc33\n"
        "\n"
    )


def test_a_line_has_none(line: Project) -> None:
    result = line.flask("branches")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
