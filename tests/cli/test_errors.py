"""Bad input: a message in words on stderr, nothing on stdout, files and database as they were."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker, define_user

from .conftest import APP, add_revision, rows, run_flask, snapshot

READING = [["heads"], ["history"], ["branches"], ["show"]]
RUNNING = [["upgrade"], ["downgrade"], ["stamp"], ["current"], ["check"]]
WRITING = [["migrate", "-m", "x"], ["revision", "-m", "x"], ["merge"]]
ALL = [*READING, *RUNNING, *WRITING, ["edit"], ["ensure-version"], ["upgrade", "--sql"]]


def name(args: list[str]) -> str:
    return "_".join(args)


@pytest.fixture
def fails(tmp_path: Path) -> Callable[..., str]:
    """Run a command that has to fail with 1 and change nothing; return its message."""

    def run(project: Project, *args: str, unchanged: bool = True) -> str:
        before = snapshot(tmp_path)
        result = project.flask(*args)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert (result.exit_code, result.stdout) == (1, "")
        message: str = result.stderr
        assert message.startswith("Error: ")
        assert "Traceback" not in message
        if unchanged:
            assert snapshot(tmp_path) == before
        return message

    return run


Fails = Callable[..., str]


# ---- the folder ------------------------------------------------------------------------------


@pytest.mark.parametrize("args", ALL, ids=name)
def test_no_folder_names_the_places_that_were_tried(
    args: list[str],
    make_project: ProjectMaker,
    url: str,
    tmp_path: Path,
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project(url, directory="migrations", init=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert fails(project, *args) == (
        "Error: There is no migrations folder migrations. Looked for:\n"
        f"  {tmp_path}/elsewhere/migrations\n"
        f"  {tmp_path}/project/migrations\n"
        f"  {tmp_path}/migrations\n"
        "Make it:  flask db init\n"
    )


def test_no_folder_of_that_name(line: Project, tmp_path: Path, fails: Fails) -> None:
    assert fails(line, "upgrade", "-d", str(tmp_path / "nowhere")) == (
        f"Error: There is no migrations folder {tmp_path}/nowhere. Looked for:\n"
        f"  {tmp_path}/nowhere\n"
        f"Make it:  flask db -d {tmp_path}/nowhere init\n"
    )


@pytest.mark.parametrize("args", ALL, ids=name)
def test_a_folder_without_env_py(args: list[str], line: Project, fails: Fails) -> None:
    (line.path / "migrations/env.py").unlink()
    message = fails(line, *args)
    assert message.startswith(
        f"Error: {line.path}/migrations is not a migrations folder: it has no env.py.\n"
    )


def test_a_file_where_the_folder_should_be(
    make_project: ProjectMaker, url: str, fails: Fails
) -> None:
    project = make_project(url, init=False)
    (project.path / "migrations").touch()
    assert str(project.path / "migrations") in fails(project, "upgrade")
    assert str(project.path / "migrations") in fails(project, "init")


def test_an_ini_that_cannot_be_read(line: Project, fails: Fails) -> None:
    ini = line.path / "migrations/alembic.ini"
    ini.write_text("script_location = migrations\n")
    for args in (["heads"], ["upgrade"], ["revision"]):
        assert fails(line, *args).startswith(f"Error: {ini} cannot be read: ")


def test_an_ini_with_a_percent_sign_that_means_nothing(line: Project, fails: Fails) -> None:
    ini = line.path / "migrations/alembic.ini"
    ini.write_text(ini.read_text() + "version_locations = %(nosuch)s/versions\n")
    for args in (["heads"], ["upgrade"], ["revision"]):
        assert str(ini) in fails(line, *args)


def test_an_env_py_that_is_not_python(line: Project, url: str, fails: Fails) -> None:
    env = line.path / "migrations/env.py"
    env.write_text("def broken(:\n")
    message = fails(line, "upgrade")
    assert f"{env}, line 1" in message
    assert "SyntaxError" in message


def test_an_env_py_that_raises(line: Project, fails: Fails) -> None:
    env = line.path / "migrations/env.py"
    env.write_text("import os\n\nraise KeyError('nosuch')\n")
    message = fails(line, "upgrade")
    assert f"{env}, line 3" in message
    assert "KeyError: 'nosuch'" in message


def test_init_into_a_folder_that_is_not_empty(line: Project, fails: Fails) -> None:
    assert fails(line, "init") == (
        f"Error: {line.path}/migrations is there already and not empty.\n"
        "Give the new folder another name:  flask db -d NAME init\n"
    )


def test_init_twice_keeps_an_edited_env_py(project: Project, fails: Fails) -> None:
    env = project.path / "migrations/env.py"
    env.write_text(f"{env.read_text()}# edited\n")
    fails(project, "init")
    assert env.read_text().endswith("# edited\n")


# ---- revisions that are not there ------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["upgrade", "9f1c"],
        ["downgrade", "9f1c"],
        ["stamp", "9f1c"],
        ["show", "9f1c"],
        ["edit", "9f1c"],
        ["merge", "9f1c", "bb22"],
        ["history", "-r", "9f1c:"],
        ["history", "-r", ":9f1c"],
        ["revision", "--head", "9f1c"],
        ["revision", "--depends-on", "9f1c"],
        ["migrate", "--head", "9f1c"],
        ["upgrade", "--sql", "9f1c"],
        ["upgrade", "9f1c@head"],
        ["upgrade", "9f1c+1"],
        ["downgrade", "9f1c-1"],
    ],
    ids=name,
)
def test_an_unknown_revision(args: list[str], line: Project, fails: Fails) -> None:
    line.flask("upgrade")
    message = fails(line, *args)
    assert "9f1c" in message
    assert "flask db history" in message


@pytest.mark.parametrize(
    "args",
    [
        ["upgrade", "abcd"],
        ["downgrade", "abcd"],
        ["stamp", "abcd"],
        ["show", "abcd"],
        ["edit", "abcd"],
        ["merge", "abcd", "abcd5"],
        ["history", "-r", "abcd:"],
        ["revision", "--head", "abcd"],
        ["revision", "--depends-on", "abcd"],
        ["upgrade", "abcd+1"],
    ],
    ids=name,
)
def test_an_ambiguous_beginning(args: list[str], project: Project, fails: Fails) -> None:
    add_revision(project, "abcd1234")
    add_revision(project, "abcd5678", "abcd1234")
    project.flask("upgrade")
    message = fails(project, *args)
    assert "abcd1234" in message
    assert "abcd5678" in message
    assert "Type more characters of the one you mean." in message


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp", "show", "edit"])
def test_an_empty_revision(command: str, line: Project, fails: Fails) -> None:
    """What ``flask db upgrade "$REVISION"`` is where nobody has set it."""
    line.flask("upgrade")
    assert "begin with :" not in fails(line, command, "")


def test_an_empty_revision_is_not_the_only_one_there_is(project: Project, fails: Fails) -> None:
    add_revision(project, "aa11")
    fails(project, "upgrade", "")
    fails(project, "stamp", "")


@pytest.mark.parametrize(
    "args", [["upgrade"], ["downgrade"], ["stamp"], ["current"], ["check"], ["migrate"]], ids=name
)
def test_a_database_at_a_revision_that_no_file_has(
    args: list[str], line: Project, fails: Fails
) -> None:
    line.flask("upgrade")
    with line.engine().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9f1c'"))
    message = fails(line, *args)
    assert message.startswith("Error: The database is at revision 9f1c, which no file in ")
    assert rows(line) == ["9f1c"]


# ---- revisions that are broken ---------------------------------------------------------------


@pytest.mark.parametrize("args", ALL, ids=name)
def test_a_syntax_error_names_file_and_line(args: list[str], line: Project, fails: Fails) -> None:
    path = add_revision(line, "dd44", "cc33")
    path.write_text("def broken(:\n" + path.read_text())
    assert fails(line, *args).startswith(f"Error: {path}, line 1: SyntaxError: ")


def test_a_syntax_error_below_a_sound_header_names_file_and_line(
    line: Project, fails: Fails
) -> None:
    """The header is enough to read the history; the step finds it, before anything has run."""
    path = add_revision(line, "dd44", "cc33", up="broken(:")
    assert line.flask("heads").stdout == "dd44 (head)\n"
    message = fails(line, "upgrade", unchanged=False)
    assert message.startswith(f"Error: {path}, line 15: SyntaxError: ")
    assert line.tables() == set()


def test_a_revision_that_raises_when_it_is_imported(line: Project, fails: Fails) -> None:
    path = add_revision(line, "dd44", "cc33")
    path.write_text(f"{path.read_text()}\nimport a_package_that_is_not_here\n")
    message = fails(line, "upgrade", unchanged=False)
    assert message.startswith(f"Error: {path}, line 21: ModuleNotFoundError: ")
    assert line.tables() == set()


@pytest.mark.parametrize("args", [["heads"], ["upgrade"], ["revision"]], ids=name)
def test_a_file_that_is_no_revision(args: list[str], line: Project, fails: Fails) -> None:
    path = line.write("helpers.py", "x = 1\n")
    assert fails(line, *args).startswith(f"Error: {path} is not a revision: ")


def test_a_revision_without_upgrade(line: Project, fails: Fails) -> None:
    path = add_revision(line, "dd44", "cc33")
    path.write_text(path.read_text().replace("def upgrade", "def upgrde"))
    message = fails(line, "upgrade", unchanged=False)
    assert message.startswith(f"Error: {path} has no function upgrade().\n")
    assert line.tables() == set()


@pytest.mark.parametrize("args", ALL, ids=name)
def test_two_files_with_one_id(args: list[str], line: Project, fails: Fails) -> None:
    folder = line.path / "migrations/versions"
    shutil.copy(folder / "bb22.py", folder / "copy.py")
    assert fails(line, *args) == (
        f"Error: Two files have the revision id bb22: {folder}/bb22.py and {folder}/copy.py\n"
        "Delete the copy, or give it an id of its own.\n"
    )


@pytest.mark.parametrize("args", ALL, ids=name)
def test_a_circle(args: list[str], project: Project, fails: Fails) -> None:
    first = add_revision(project, "aa11", "bb22")
    second = add_revision(project, "bb22", "aa11")
    message = fails(project, *args)
    assert message.startswith("Error: These revisions stand on each other in a circle: ")
    assert "aa11 -> bb22 -> aa11" in message or "bb22 -> aa11 -> bb22" in message
    assert str(first) in message
    assert str(second) in message
    assert "Mend `down_revision`" in message


@pytest.mark.parametrize("args", ALL, ids=name)
def test_a_parent_that_is_not_there(args: list[str], line: Project, fails: Fails) -> None:
    folder = line.path / "migrations/versions"
    (folder / "aa11.py").unlink()
    assert fails(line, *args).startswith(
        f"Error: {folder}/bb22.py stands on revision aa11, which no revision file has.\n"
    )


@pytest.mark.parametrize(
    "args",
    [["revision", "--rev-id", "a:b"], ["migrate", "--rev-id", "a:b"], ["merge", "--rev-id", "a:b"]],
    ids=name,
)
def test_a_new_id_with_a_colon(args: list[str], fork: Project, fails: Fails) -> None:
    fork.flask("upgrade", "heads")
    more = [] if args[0] == "merge" else ["--head", "bb22"]
    message = fails(fork, *args, *more)
    assert "a:b" in message
    assert ":" in message


def test_a_file_with_a_colon_in_its_id(line: Project, fails: Fails) -> None:
    path = line.write(
        "odd.py", '"""odd"""\nrevision = "a:b"\ndown_revision = "cc33"\n\ndef upgrade(): pass\n'
    )
    assert fails(line, "upgrade").startswith(f"Error: {path}: the revision id a:b has one of ")


# ---- databases -------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def unreachable(make_project: ProjectMaker, closed_port: int) -> Project:
    """An application whose server does not run, with one revision."""
    project = make_project(f"postgresql+psycopg://me:secret@127.0.0.1:{closed_port}/school")
    add_revision(project, "aa11")
    return project


@pytest.mark.parametrize(
    "args",
    [["upgrade"], ["downgrade"], ["stamp"], ["current"], ["check"], ["migrate", "-m", "x"],
     ["ensure-version"], ["history", "-i"], ["show", "current"]],
    ids=name,
)  # fmt: skip
def test_a_server_that_does_not_run(
    args: list[str], unreachable: Project, closed_port: int, fails: Fails
) -> None:
    message = fails(unreachable, *args)
    assert message.startswith(
        f"Error: postgresql+psycopg://me:***@127.0.0.1:{closed_port}/school does not answer: "
    )
    assert "refused" in message
    assert "Is the server running" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "args", [["heads"], ["history"], ["show"], ["revision", "-m", "x"]], ids=name
)
def test_what_needs_no_database_works_without_one(args: list[str], unreachable: Project) -> None:
    assert unreachable.flask(*args).exit_code == 0


def test_sql_needs_no_database(unreachable: Project) -> None:
    result = unreachable.flask("upgrade", "--sql")
    assert result.exit_code == 0
    assert "INSERT INTO alembic_version (version_num) VALUES ('aa11')" in result.stdout
    assert result.stderr == "SQL for default from base.\n"


def test_a_sqlite_file_in_a_folder_that_is_not_there(
    make_project: ProjectMaker, tmp_path: Path, fails: Fails
) -> None:
    project = make_project(f"sqlite:///{tmp_path}/nowhere/default.db")
    add_revision(project, "aa11")
    shutil.rmtree(tmp_path / "nowhere", ignore_errors=True)  # Flask-SQLAlchemy makes it
    message = fails(project, "upgrade")
    assert f"sqlite:///{tmp_path}/nowhere/default.db does not answer" in message
    assert f"Its folder does not exist: {tmp_path}/nowhere" in message


def test_a_file_that_is_no_database(line: Project, tmp_path: Path, fails: Fails) -> None:
    url = line.engine().url
    Path(str(url.database)).write_text("This is not a database, but it is long enough to look at.")
    for args in (["current"], ["upgrade"]):
        message = fails(line, *args)
        assert str(url.database) in message
        assert "not a database" in message


@pytest.mark.parametrize(
    "args", [["upgrade"], ["downgrade"], ["stamp"], ["current"], ["check"], ["migrate"]], ids=name
)
def test_a_wrong_bind_names_those_there_are(args: list[str], two: Project, fails: Fails) -> None:
    assert fails(two, *args, "--bind", "log") == (
        "Error: There is no bind log. The application has: default, logs.\n"
    )


def test_a_db_that_init_app_was_never_called_on(
    make_project: ProjectMaker, tmp_path: Path, fails: Fails
) -> None:
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    from flask_sakyum_migrate import Migrate

    app = Flask("project", root_path=str(tmp_path))
    db: Any = SQLAlchemy()
    migrate = Migrate(app, db, tmp_path / "migrations")
    project = Project(tmp_path, app, db, migrate)
    shutil.copytree(make_folder(make_project), tmp_path / "migrations")
    assert "init_app" in fails(project, "upgrade")


def make_folder(make_project: ProjectMaker) -> Path:
    return make_project("sqlite://", folder="source").path / "migrations"


def test_a_driver_that_is_loaded_late_and_missing(tmp_path: Path, fails: Fails) -> None:
    """With engines from a function the driver is asked for when a command runs."""
    from flask import Flask

    from flask_sakyum_migrate import Migrate

    app = Flask("project", root_path=str(tmp_path))
    migrate = Migrate(
        app,
        directory=tmp_path / "migrations",
        engines=lambda: sa.create_engine("mysql+mysqldb://localhost/school"),
        metadatas=sa.MetaData(),
    )
    project = Project(tmp_path, app, None, migrate)
    assert project.flask("init").exit_code == 0
    message = fails(project, "upgrade")
    assert "MySQLdb" in message
    assert "pip install mysqlclient" in message


def test_an_application_that_has_no_migrate(tmp_path: Path, url: str) -> None:
    (tmp_path / "bare.py").write_text("from flask import Flask\napp = Flask('bare')\n")
    done = run_flask(tmp_path, "db", "upgrade", app="bare")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: The application bare has no `db` command.\n"
        "Add to it:  migrate = Migrate(app, db)   "
        "(or, in create_app(): migrate.init_app(app, db))\n"
    )


# ---- a folder that cannot be written ---------------------------------------------------------


def bound() -> list[str]:
    """A command without the right of root to write everywhere; root goes past permissions."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@pytest.fixture
def written(make_project: ProjectMaker, tmp_path: Path) -> Path:
    """A project with two heads and a database at both of them."""
    (tmp_path / "app.py").write_text(APP.format(path=tmp_path))
    project = make_project(f"sqlite:///{tmp_path}/default.db", folder=".")
    add_revision(project, "aa11")
    add_revision(project, "bb22")
    project.repository.upgrade("heads")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (["revision", "-m", "x", "--head", "aa11"], "migrations/versions"),
        (["migrate", "-m", "x", "--head", "aa11"], "migrations/versions"),
        (["merge", "-m", "x"], "migrations/versions"),
        (["init", "-d", "locked/migrations"], "locked"),
    ],
    ids=["revision", "migrate", "merge", "init"],
)
def test_a_read_only_folder(args: list[str], path: str, written: Path) -> None:
    folder = written / path
    folder.mkdir(exist_ok=True)
    folder.chmod(0o555)
    before = snapshot(written)
    done = run_flask(written, "db", *args, before=bound(), PYTHONDONTWRITEBYTECODE="1")
    folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    error = done.stderr.splitlines()[-2]
    assert error.startswith("Error: ")
    assert path in error
    assert error.endswith(" cannot be written: Permission denied.")
    assert "May this user write to the folder?" in done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(written) == before


def test_a_read_only_database(written: Path) -> None:
    database = written / "default.db"
    database.chmod(0o444)
    done = run_flask(written, "db", "downgrade", "base", before=bound())
    assert (done.returncode, done.stdout) == (1, "")
    assert str(database) in done.stderr
    assert "readonly" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_revisions_that_cannot_be_read(written: Path) -> None:
    (written / "migrations/versions/aa11.py").chmod(0)
    done = run_flask(written, "db", "heads", before=bound())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {written}/migrations/versions/aa11.py cannot be read: Permission denied\n"
    )


# ---- applications that do not load -----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nosuch_package\n", ["ModuleNotFoundError: No module named 'nosuch_package'",
                                     "broken.py, line 1", "pip install nosuch_package"]),
        ("x = 1\n\nx = 1 / 0\n", ["ZeroDivisionError: division by zero", "broken.py, line 3"]),
        ("from flask import Flask\n\ndef broken(:\n", ["SyntaxError", "broken.py, line 3"]),
        ("import os\n\nos.environ['NO_SUCH_SETTING']\n", ["KeyError: 'NO_SUCH_SETTING'",
                                                         "broken.py, line 3"]),
    ],
    ids=["import", "raises", "syntax", "setting"],
)  # fmt: skip
def test_an_application_that_does_not_import(source: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)
    done = run_flask(tmp_path, "db", "upgrade", app="broken", PYTHONDONTWRITEBYTECODE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The application does not load: ")
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(tmp_path) == {"broken.py": source.encode()}


def test_an_application_that_does_not_import_with_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\n\nx = 1 / 0\n")
    done = run_flask(tmp_path, "db", "upgrade", "--traceback", app="broken")
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert "    x = 1 / 0\n" in done.stderr


def test_a_hint_that_can_be_typed(tmp_path: Path) -> None:
    """The command at the end of a message does what the message says."""
    (tmp_path / "broken.py").write_text("x = 1\n\nx = 1 / 0\n")
    done = run_flask(tmp_path, "db", "upgrade", app="broken")
    hint = done.stderr.splitlines()[-1].partition("flask ")[2].split()
    told = run_flask(tmp_path, *hint, app="broken")
    assert "    x = 1 / 0\n" in told.stderr


def test_an_application_that_is_not_there(tmp_path: Path) -> None:
    done = run_flask(tmp_path, "db", "upgrade", app="nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Could not import 'nosuch'." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql+mysqldb://localhost/x", ["No module named 'MySQLdb'", "pip install mysqlclient"]),
        ("nosuch://localhost/x", ["nosuch"]),
        ("postgresql+nosuch://localhost/x", ["postgresql.nosuch"]),
        ("not a url", ["Could not parse SQLAlchemy URL"]),
    ],
    ids=["driver", "dialect", "variant", "text"],
)
def test_a_missing_driver(url: str, words: list[str], tmp_path: Path) -> None:
    source = APP.replace("sqlite:///{path}/default.db", url)
    (tmp_path / "app.py").write_text(source)
    done = run_flask(tmp_path, "db", "upgrade", PYTHONDONTWRITEBYTECODE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The application does not load: ")
    for word in words:
        assert word in done.stderr
    assert "app.py, line " in done.stderr
    assert "Traceback" not in done.stderr


def test_help_of_an_application_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1 / 0\n")
    done = run_flask(tmp_path, "db", "--help", app="broken")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


# ---- faults of the code are not hidden -------------------------------------------------------


def test_a_fault_that_nobody_foresaw_keeps_its_traceback(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("flask_sakyum_migrate.repository.Repository.heads", fault)
    result = project.flask("heads")
    assert isinstance(result.exception, ZeroDivisionError)


def test_models_that_do_not_import(make_project: ProjectMaker, url: str, fails: Fails) -> None:
    project = make_project(url, models=define_user)
    project.migrate._sources["models"] = ("no_such_models",)
    project.app.extensions["migrate"].sources["models"] = ("no_such_models",)
    message = fails(project, "migrate", "-m", "x")
    assert "no_such_models" in message
