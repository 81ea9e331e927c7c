"""``flask db`` itself, and the options that all commands share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask.cli import FlaskGroup

from tests.conftest import Project, ProjectMaker

from .conftest import APP, add_revision, rows, run_flask

COMMANDS = [
    "init", "migrate", "revision", "edit", "merge", "upgrade", "downgrade", "stamp",
    "ensure-version", "current", "history", "heads", "branches", "show", "check", "list-templates",
    "update", "baseline", "resolve", "prepare", "seed", "runs", "status", "dump", "load", "clean",
    "reset", "shell", "sql", "doctor",
]  # fmt: skip


@pytest.fixture
def noting(line: Project, tmp_path: Path) -> Path:
    """The file in which env.py notes what it was given."""
    noted = tmp_path / "noted.txt"
    env = line.path / "migrations/env.py"
    env.write_text(
        f"{env.read_text()}\n"
        "from pathlib import Path\n"
        "from alembic import context\n"
        f"Path({str(noted)!r}).write_text(\n"
        "    repr((context.get_x_argument(), context.get_tag_argument()))\n"
        ")\n"
    )
    return noted


def test_help_names_every_command(project: Project) -> None:
    result = project.flask("--help")
    assert (result.exit_code, result.stderr) == (0, "")
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    assert sorted(line.split()[0] for line in listed if line.strip()) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_the_shared_options(command: str, project: Project) -> None:
    result = project.flask(command, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    for option in ("-d, --directory", "-x, --x-arg", "--traceback"):
        assert option in result.stdout


@pytest.mark.parametrize(
    "command",
    ["migrate", "upgrade", "downgrade", "stamp", "ensure-version", "current", "check", "revision"],
)
def test_each_command_that_touches_a_database_has_bind(command: str, project: Project) -> None:
    assert "--bind NAME" in project.flask(command, "--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_is_not_there(command: str, project: Project) -> None:
    result = project.flask(command, "--nosuch")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such option" in result.stderr
    assert "--nosuch" in result.stderr


def test_a_command_that_is_not_there(project: Project) -> None:
    result = project.flask("nosuch")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'nosuch'" in result.stderr


def test_too_many_arguments(line: Project) -> None:
    result = line.flask("upgrade", "aa11", "bb22")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unexpected extra argument" in result.stderr
    assert rows(line) == []


def test_a_number_is_no_option_where_there_is_no_revision_to_name(line: Project) -> None:
    result = line.flask("heads", "-1")
    assert (result.exit_code, result.stdout) == (2, "")


# ---- -d --------------------------------------------------------------------------------------


@pytest.fixture
def other(line: Project, tmp_path: Path) -> Path:
    """Another folder of the same application, with one revision."""
    folder = tmp_path / "other"
    line.flask("init", "-d", str(folder))
    source = line.path / "migrations/versions/aa11.py"
    (folder / "versions/zz99.py").write_text(source.read_text().replace("aa11", "zz99"))
    return folder


def test_a_folder_on_the_group(line: Project, other: Path) -> None:
    assert line.flask("-d", str(other), "heads").stdout == "zz99 (head)\n"


def test_a_folder_on_the_command(line: Project, other: Path) -> None:
    assert line.flask("heads", "-d", str(other)).stdout == "zz99 (head)\n"
    assert line.flask("heads", "--directory", str(other)).stdout == "zz99 (head)\n"


def test_the_command_goes_before_the_group(line: Project, other: Path) -> None:
    assert line.flask("-d", "nowhere", "heads", "-d", str(other)).stdout == "zz99 (head)\n"


def test_a_folder_from_the_environment(line: Project, other: Path) -> None:
    """As the flask command does it: options of a group `db` are read from FLASK_DB_..."""
    result = line.runner.invoke(
        FlaskGroup(create_app=lambda: line.app),
        ["db", "heads"],
        env={"FLASK_DB_DIRECTORY": str(other)},
    )
    assert (result.exit_code, result.stdout) == (0, "zz99 (head)\n")


def test_a_folder_on_the_command_line_goes_before_the_environment(
    line: Project, other: Path
) -> None:
    result = line.runner.invoke(
        FlaskGroup(create_app=lambda: line.app),
        ["db", "heads", "-d", str(other)],
        env={"FLASK_DB_DIRECTORY": "nowhere"},
    )
    assert (result.exit_code, result.stdout) == (0, "zz99 (head)\n")


def test_the_flask_command(tmp_path: Path) -> None:
    """One whole life in processes of their own."""
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    env = {"FLASK_DB_DIRECTORY": str(tmp_path / "moves")}
    assert run_flask(tmp_path, "db", "init", **env).returncode == 0
    assert run_flask(tmp_path, "db", "migrate", "-m", "first", **env).returncode == 0
    done = run_flask(tmp_path, "db", "upgrade", **env)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Applied 1 revision in " in done.stderr
    done = run_flask(tmp_path, "db", "downgrade", "-1", **env)
    assert (done.returncode, done.stdout) == (0, "")
    assert "is now at base." in done.stderr


# ---- -x and --tag ----------------------------------------------------------------------------


def test_x_on_the_command(line: Project, noting: Path) -> None:
    assert line.flask("upgrade", "-x", "a=1", "-x", "b=2").exit_code == 0
    assert noting.read_text() == "(['a=1', 'b=2'], None)"


def test_x_on_the_group(line: Project, noting: Path) -> None:
    assert line.flask("-x", "a=1", "-x", "b=2", "upgrade").exit_code == 0
    assert noting.read_text() == "(['a=1', 'b=2'], None)"


def test_x_on_both(line: Project, noting: Path) -> None:
    """Both reach env.py, those of the group first, as with Flask-Migrate."""
    assert line.flask("-x", "a=1", "upgrade", "-x", "b=2").exit_code == 0
    assert noting.read_text() == "(['a=1', 'b=2'], None)"


def test_tag(line: Project, noting: Path) -> None:
    assert line.flask("upgrade", "--tag", "blue").exit_code == 0
    assert noting.read_text() == "([], 'blue')"


# ---- --bind ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["upgrade", "downgrade", "stamp", "current", "check", "migrate", "ensure-version"],
)
def test_a_bind_that_is_not_there(command: str, two: Project) -> None:
    result = two.flask(command, "--bind", "nosuch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: There is no bind nosuch. The application has: default, logs.\n"
    )
    assert (rows(two), rows(two, "logs")) == ([], [])


def test_a_bind_that_is_not_there_with_sql(two: Project) -> None:
    result = two.flask("upgrade", "--sql", "--bind", "nosuch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no bind nosuch.")


# ---- --traceback -----------------------------------------------------------------------------


def test_without_traceback_an_error_is_its_message(line: Project) -> None:
    result = line.flask("upgrade", "9f1c")
    assert result.stderr == (
        "Error: No revision is called 9f1c, and no id begins like that.\n"
        "The revisions of this folder: flask db history\n"
    )


def test_with_traceback_the_message_comes_last(line: Project) -> None:
    result = line.flask("upgrade", "--traceback", "9f1c")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith(
        "Error: No revision is called 9f1c, and no id begins like that.\n"
        "The revisions of this folder: flask db history\n"
    )


def test_with_traceback_a_revision_that_raised_shows_its_line(line: Project) -> None:
    add_revision(line, "dd44", "cc33", up="raise KeyError('name')")
    result = line.flask("upgrade", "--traceback")
    assert "    raise KeyError('name')\n" in result.stderr


# ---- completion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("flask db upgrade ", ["head", "heads", "base", "bb22", "aa11"]),
        ("flask db upgrade a", ["aa11"]),
        ("flask db stamp aa11 b", ["base", "bb22"]),
        ("flask db nosuch", []),
        ("flask db upgrade -d nowhere a", []),
    ],
)
def test_a_shell_completes_revisions(
    words: str, offered: list[str], make_project: ProjectMaker, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    project = make_project(f"sqlite:///{tmp_path}/default.db", folder=".")
    add_revision(project, "aa11")
    add_revision(project, "bb22", "aa11")
    done = subprocess.run(
        [Path(sys.executable).parent / "flask"],
        cwd=tmp_path,
        env={
            **os.environ,
            "FLASK_APP": "app.py",
            "_FLASK_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert [line.partition(",")[2] for line in done.stdout.split()] == offered


# ---- other names -----------------------------------------------------------------------------


def test_another_name_for_the_group(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, command="schema")
    result = project.runner.invoke(args=["schema", "heads"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert project.runner.invoke(args=["db", "heads"]).exit_code == 2
