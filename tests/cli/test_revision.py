"""``flask db revision``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project

from .conftest import add_revision, rows, snapshot, versions


def text_of(stdout: str) -> str:
    """The file whose path a command printed."""
    return Path(stdout.rstrip("\n")).read_text().replace("'", '"')


def test_an_empty_one(line: Project) -> None:
    result = line.flask("revision", "-m", "fill names", "--rev-id", "dd44")
    assert result.exit_code == 0
    assert result.stderr == (
        "Wrote revision dd44 (fill names), after cc33.\nRead the file, then:  flask db upgrade\n"
    )
    text = text_of(result.stdout)
    assert 'revision = "dd44"\ndown_revision = "cc33"\n' in text
    assert "branch_labels = None\ndepends_on = None\n" in text
    assert text.endswith("def downgrade() -> None:\n    pass\n")


def test_the_file_runs(line: Project) -> None:
    line.flask("revision", "-m", "fill names", "--rev-id", "dd44")
    assert line.flask("upgrade").exit_code == 0
    assert rows(line) == ["dd44"]
    assert line.flask("downgrade").exit_code == 0
    assert rows(line) == ["cc33"]


def test_the_first_of_a_folder(project: Project) -> None:
    result = project.flask("revision", "-m", "first", "--rev-id", "aa11")
    assert result.stderr.startswith("Wrote revision aa11 (first), after base.\n")
    assert "down_revision = None" in text_of(result.stdout)


def test_it_needs_no_database(line: Project, tmp_path: Path) -> None:
    line.flask("revision", "-m", "fill names")
    assert not list(tmp_path.glob("*.db"))


def test_an_id_of_its_own_kind(line: Project) -> None:
    result = line.flask("revision", "--rev-id", "0042")
    assert result.exit_code == 0
    assert 'revision = "0042"' in text_of(result.stdout)


def test_an_id_that_is_there_already(line: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = line.flask("revision", "--rev-id", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    path = line.path / "migrations/versions/aa11.py"
    assert result.stderr == f"Error: {path} has the revision id aa11 already.\n"
    assert snapshot(tmp_path) == before


def test_an_id_that_is_a_label_already(fork: Project, tmp_path: Path) -> None:
    """Alembic cannot load such a folder."""
    before = snapshot(tmp_path)
    result = fork.flask("revision", "--rev-id", "shop", "--head", "bb22")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert snapshot(tmp_path) == before


def test_a_label_that_is_there_already(fork: Project, tmp_path: Path) -> None:
    """It would be found only when the folder is read the next time, and then nothing works."""
    before = snapshot(tmp_path)
    result = fork.flask("revision", "--branch-label", "shop", "--head", "cc33")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "shop" in result.stderr
    assert snapshot(tmp_path) == before


def test_on_a_head_of_two(fork: Project) -> None:
    result = fork.flask("revision", "--head", "till@head", "--rev-id", "dd44")
    assert result.exit_code == 0
    assert 'down_revision = "cc33"' in text_of(result.stdout)


def test_two_heads_are_named(fork: Project) -> None:
    result = fork.flask("revision", "-m", "more")
    assert (result.exit_code, result.stdout) == (1, "")
    folder = fork.path / "migrations/versions"
    assert result.stderr == (
        "Error: The revisions end in 2 heads:\n"
        f"  bb22  make bb22  ({folder / 'bb22.py'})\n"
        f"  cc33  make cc33  ({folder / 'cc33.py'})\n"
        'Join them:  flask db merge -m "merge"   '
        "(or go to all of them:  flask db upgrade heads)\n"
    )


def test_not_on_a_head(line: Project) -> None:
    result = line.flask("revision", "--head", "aa11")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "aa11 is not a head" in result.stderr
    assert "--splice" in result.stderr
    assert len(versions(line)) == 3


def test_splice(line: Project) -> None:
    result = line.flask("revision", "--head", "aa11", "--splice", "--branch-label", "side")
    assert result.exit_code == 0
    assert 'down_revision = "aa11"' in text_of(result.stdout)
    assert 'branch_labels = ("side",)' in text_of(result.stdout)
    assert len(line.repository.heads()) == 2


def test_a_base_of_its_own(line: Project) -> None:
    result = line.flask("revision", "--head", "base", "--rev-id", "xx11", "--branch-label", "apart")
    assert result.exit_code == 0
    assert "down_revision = None" in text_of(result.stdout)
    assert result.stderr.startswith("Wrote revision xx11 (")


def test_what_it_depends_on(fork: Project) -> None:
    add_revision(fork, "xx11")
    result = fork.flask(
        "revision", "--head", "till@head", "--depends-on", "shop", "--depends-on", "xx",
    )  # fmt: skip
    assert result.exit_code == 0
    assert 'depends_on = ["shop", "xx11"]' in text_of(result.stdout)
    assert fork.flask("upgrade", "till@head").exit_code == 0
    assert len(rows(fork)) == 1


def test_one_dependency(fork: Project) -> None:
    result = fork.flask("revision", "--head", "till@head", "--depends-on", "bb22")
    assert 'depends_on = "bb22"' in text_of(result.stdout)


def test_the_folder_it_goes_to(line: Project, tmp_path: Path) -> None:
    ini = line.path / "migrations/alembic.ini"
    ini.write_text(
        ini.read_text().replace(
            "# version_locations = %(here)s/versions",
            f"version_locations = %(here)s/versions:{tmp_path}/more",
        )
    )
    result = line.flask("revision", "--version-path", str(tmp_path / "more"), "--rev-id", "dd44")
    assert result.exit_code == 0
    assert Path(result.stdout.rstrip("\n")).parent == tmp_path / "more"
    assert line.repository.get("head").id == "dd44"


def test_a_folder_that_is_no_version_location(line: Project, tmp_path: Path) -> None:
    result = line.flask("revision", "--version-path", str(tmp_path / "more"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(tmp_path / "more") in result.stderr
    assert not (tmp_path / "more").exists()


def test_autogenerate_is_migrate(project: Project) -> None:
    result = project.flask("revision", "--autogenerate", "-m", "add user")
    assert result.exit_code == 0
    assert 'op.create_table("user"' in text_of(result.stdout)


@pytest.mark.parametrize(
    "message",
    [
        "Größe ändern, 名前",
        'call it "b"',
        "C:\\new folder",
        "add \\x",
        'three """ quotes',
        "ends in \\",
    ],
)
def test_a_message_with_any_characters(line: Project, message: str) -> None:
    result = line.flask("revision", "-m", message, "--rev-id", "dd44")
    assert result.exit_code == 0
    assert line.repository.get("dd44").message == message
    assert line.flask("upgrade").exit_code == 0


def test_a_message_over_lines(line: Project) -> None:
    assert line.flask("revision", "-m", "first\n\nmore", "--rev-id", "dd44").exit_code == 0
    assert line.repository.get("dd44").message == "first"


def test_a_script_py_mako_that_is_not_there(line: Project, tmp_path: Path) -> None:
    (line.path / "migrations/script.py.mako").unlink()
    before = snapshot(tmp_path)
    result = line.flask("revision", "-m", "more")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "script.py.mako" in result.stderr
    assert snapshot(tmp_path) == before
