"""``flask db init``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project, ProjectMaker

from .conftest import APP, run_flask, snapshot

FILES = ["README", "alembic.ini", "env.py", "script.py.mako", "versions"]


@pytest.fixture
def fresh(make_project: ProjectMaker, url: str) -> Project:
    """An application that has no migrations folder yet."""
    return make_project(url, init=False)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_makes_the_folder_and_says_what_comes_next(fresh: Project) -> None:
    result = fresh.flask("init")
    folder = fresh.path / "migrations"
    assert result.exit_code == 0
    assert result.stdout == f"{folder}\n"
    assert result.stderr == 'Made the migrations folder. Next:  flask db migrate -m "first"\n'
    assert listing(folder) == FILES
    assert listing(folder / "versions") == []


def test_the_folder_works(fresh: Project) -> None:
    fresh.flask("init")
    assert fresh.flask("migrate", "-m", "first").exit_code == 0
    assert fresh.flask("upgrade").exit_code == 0
    assert fresh.tables() == {"user", "alembic_version"}


def test_init_does_not_touch_the_database(fresh: Project, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    fresh.flask("init", "-d", str(tmp_path / "other"))
    assert [name for name in snapshot(tmp_path) if not name.startswith("other")] == list(before)


@pytest.mark.parametrize("where", ["group", "command"])
def test_another_folder(where: str, fresh: Project, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    args = ("-d", other, "init") if where == "group" else ("init", "-d", other)
    result = fresh.flask(*args)
    assert (result.exit_code, result.stdout) == (0, f"{other}\n")
    assert listing(tmp_path / "other") == FILES
    assert not (fresh.path / "migrations").exists()


def test_the_folder_of_the_command_goes_before_that_of_the_group(
    fresh: Project, tmp_path: Path
) -> None:
    result = fresh.flask("-d", str(tmp_path / "a"), "init", "-d", str(tmp_path / "b"))
    assert result.stdout == f"{tmp_path / 'b'}\n"
    assert not (tmp_path / "a").exists()


def test_a_relative_folder_is_made_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    done = run_flask(tmp_path, "db", "init", "-d", "moves/here")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'moves/here'}\n")
    assert listing(tmp_path / "moves/here") == FILES


def test_an_empty_folder_is_used(fresh: Project) -> None:
    (fresh.path / "migrations").mkdir()
    assert fresh.flask("init").exit_code == 0
    assert listing(fresh.path / "migrations") == FILES


def test_package(fresh: Project) -> None:
    assert fresh.flask("init", "--package").exit_code == 0
    assert "__init__.py" in listing(fresh.path / "migrations")
    assert listing(fresh.path / "migrations/versions") == ["__init__.py"]
    assert fresh.flask("heads").exit_code == 0


def test_multidb_makes_the_same_folder(fresh: Project, tmp_path: Path) -> None:
    fresh.flask("init", "-d", str(tmp_path / "a"))
    assert fresh.flask("init", "-d", str(tmp_path / "b"), "--multidb").exit_code == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


def test_a_template_by_name(fresh: Project, tmp_path: Path) -> None:
    fresh.flask("init", "-d", str(tmp_path / "a"))
    assert fresh.flask("init", "-d", str(tmp_path / "b"), "-t", "flask").exit_code == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


def test_a_template_by_path(fresh: Project, tmp_path: Path) -> None:
    template = tmp_path / "mine"
    template.mkdir()
    (template / "env.py").write_text("# mine\n")
    (template / "alembic.ini.mako").write_text("[alembic]\nscript_location = ${script_location}\n")
    (template / "script.py.mako").write_text("# mine as well\n")
    assert fresh.flask("init", "-t", str(template)).exit_code == 0
    folder = fresh.path / "migrations"
    assert (folder / "env.py").read_text() == "# mine\n"
    assert (folder / "alembic.ini").read_text() == "[alembic]\nscript_location = %(here)s\n"
    assert listing(folder) == ["alembic.ini", "env.py", "script.py.mako", "versions"]


def test_a_template_that_is_not_there(fresh: Project) -> None:
    result = fresh.flask("init", "-t", "nosuch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: There is no template nosuch.\n"
        "Those there are:  flask db list-templates   (or the path of a folder: -t ./mine)\n"
    )
    assert not (fresh.path / "migrations").exists()
