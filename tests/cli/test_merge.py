"""``flask db merge``."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot, versions


def test_all_heads(fork: Project) -> None:
    result = fork.flask("merge", "-m", "join", "--rev-id", "dd44")
    assert result.exit_code == 0
    path = Path(result.stdout.rstrip("\n"))
    assert versions(fork)[0] == path.name
    assert result.stderr.startswith("Wrote revision dd44 (join), after bb22, cc33.\n")
    node = fork.repository.get("head")
    assert (node.id, set(node.down)) == ("dd44", {"bb22", "cc33"})
    assert fork.flask("upgrade").exit_code == 0
    assert rows(fork) == ["dd44"]


def test_one_head_is_nothing_to_merge(line: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("merge", "-m", "join")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is nothing to merge: cc33 is the only head.\n"
    assert snapshot(tmp_path) == before


def test_no_revision_is_nothing_to_merge(project: Project) -> None:
    result = project.flask("merge")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is nothing to merge: ")
    assert versions(project) == []


def test_those_that_are_named(fork: Project) -> None:
    add_revision(fork, "ee55", "aa11")
    result = fork.flask("merge", "bb22", "cc", "--rev-id", "dd44")
    assert result.exit_code == 0
    assert sorted(node.id for node in fork.repository.heads()) == ["dd44", "ee55"]


def test_by_label(fork: Project) -> None:
    assert fork.flask("merge", "shop", "till", "--rev-id", "dd44").exit_code == 0
    assert fork.repository.get("head").down == ("bb22", "cc33")


def test_heads_by_name(fork: Project) -> None:
    assert fork.flask("merge", "heads", "--rev-id", "dd44").exit_code == 0
    assert set(fork.repository.get("head").down) == {"bb22", "cc33"}


def test_a_head_that_another_one_depends_on_is_merged_as_well(project: Project) -> None:
    add_revision(project, "aa11")
    add_revision(project, "xx11", depends="aa11")
    assert project.flask("merge", "--rev-id", "dd44").exit_code == 0
    assert set(project.repository.get("head").down) == {"aa11", "xx11"}


def test_one_that_is_named_is_nothing_to_merge(fork: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    for args in (["bb22"], ["bb22", "bb22"], ["bb22", "shop"]):
        result = fork.flask("merge", *args)
        assert (result.exit_code, result.stdout) == (1, ""), args
        assert result.stderr.startswith("Error: There is nothing to merge: bb22"), args
    assert snapshot(tmp_path) == before


def test_what_is_not_a_head(line: Project) -> None:
    result = line.flask("merge", "aa11", "cc33")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "aa11 is not a head" in result.stderr
    assert len(versions(line)) == 3


def test_splice(fork: Project) -> None:
    add_revision(fork, "dd44", "bb22")
    result = fork.flask("merge", "--splice", "bb22", "cc33", "--rev-id", "ee55")
    assert result.exit_code == 0
    assert sorted(node.id for node in fork.repository.heads()) == ["dd44", "ee55"]


def test_a_label_of_its_own(fork: Project) -> None:
    fork.flask("merge", "--branch-label", "joined", "--rev-id", "dd44")
    assert fork.repository.get("joined").id == "dd44"


def test_an_id_that_is_there_already(fork: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = fork.flask("merge", "--rev-id", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert "aa11" in result.stderr
    assert snapshot(tmp_path) == before


def test_it_needs_no_database(fork: Project, tmp_path: Path) -> None:
    fork.flask("merge")
    assert not list(tmp_path.glob("*.db"))
