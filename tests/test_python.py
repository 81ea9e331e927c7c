"""The Python side: data comes back, nothing is printed, the application's logging stays."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.pool import StaticPool

import flask_sakyum_migrate
from flask_sakyum_migrate import ConfigError, HistoryError, Migrate, StepError, compat
from tests.conftest import Project, ProjectMaker, define_user


def test_every_verb_returns_data_and_prints_nothing(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    repository = project.repository
    made = repository.revision("create user", autogenerate=True)
    assert made is not None
    assert made.message == "create user" and made.path.is_file() and made.down == ()
    assert [node.id for node in repository.pending()] == [made.id]
    result = repository.upgrade()
    (step,) = result.steps
    assert (step.revision, step.direction, step.bind) == (made.id, "upgrade", "default")
    assert result.visits[0].before == () and result.visits[0].after == (made.id,)
    assert repository.pending() == []
    assert repository.current()[0].heads == (made.id,)
    assert repository.get("head").id == made.id == repository.get(made.id[:5]).id
    assert [node.id for node in repository.history()] == [made.id]
    assert repository.branches() == []
    assert repository.upgrade().steps == ()
    assert "DROP TABLE" in repository.sql("downgrade", "-1")[0].text
    assert repository.stamp("base").visits[0].after == ()
    assert repository.stamp().visits[0].after == (made.id,)
    assert repository.downgrade("base").steps[0].direction == "downgrade"
    assert capfd.readouterr() == ("", "")


def test_logging_is_what_it_was(project: Project, tmp_path: Path) -> None:
    project.repository.revision("create", autogenerate=True)
    (project.path / "migrations" / "env.py").write_text(OLD_ENV)
    ini = project.path / "migrations" / "alembic.ini"
    ini.write_text(ini.read_text() + OLD_INI)
    own = logging.getLogger("school")
    handler = logging.FileHandler(tmp_path / "app.log", mode="w")
    own.addHandler(handler)
    own.setLevel(logging.DEBUG)
    before = logging_state()
    try:
        project.repository.upgrade()
        project.repository.current()
        project.repository.check()
        project.repository.downgrade("base")
        assert logging_state() == before
        assert not own.disabled
        own.debug("still here")
        assert "still here" in (tmp_path / "app.log").read_text()
    finally:
        own.removeHandler(handler)
        handler.close()


def logging_state() -> dict[str, Any]:
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    return {
        name: (id(one), one.level, one.disabled, one.propagate, list(one.handlers))
        for name, one in loggers.items()
        if isinstance(one, logging.Logger) and not name.startswith("alembic")
    }


def test_an_in_memory_database_on_a_given_connection() -> None:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"poolclass": StaticPool}
    db = SQLAlchemy(app)
    define_user(db)
    folder = Path(__file__).parent / "histories" / "user"
    migrate = Migrate(app, db, folder)
    with app.app_context():
        with db.engine.connect() as connection:
            result = migrate.repository.upgrade(connection=connection)
            assert len(result.steps) == 2
            connection.commit()
            assert sa.inspect(connection).has_table("user")
        # The pool has one connection, and it is as the driver made it.
        migrate.repository.downgrade("base")
        with db.engine.connect() as connection:
            assert connection.connection.dbapi_connection is not None
            assert connection.connection.dbapi_connection.isolation_level == ""
            assert not sa.inspect(connection).has_table("user")
        db.engine.dispose()


def test_a_given_connection_keeps_its_transaction(project: Project) -> None:
    project.repository.revision("create", autogenerate=True)
    with project.engine().connect() as connection:
        transaction = connection.begin()
        project.repository.upgrade(connection=connection)
        transaction.rollback()
    # The driver commits DDL by itself unless the caller's own transaction is a real one, so only
    # the promise is tested here: the caller's transaction was neither committed nor closed.
    assert project.repository.current() is not None


def test_a_failed_step_says_where(project: Project) -> None:
    project.write("bad.py", BAD)
    with pytest.raises(StepError) as error:
        project.repository.upgrade()
    assert (error.value.revision, error.value.line) == ("bad1", 11)
    assert "no such table: missing" in str(error.value)
    assert "DELETE FROM missing" in str(error.value)
    assert "The whole run was rolled back." in str(error.value)
    assert project.tables() == set()


def test_sqlite_keeps_the_children_of_a_changed_table(make_project: ProjectMaker, url: str) -> None:
    """A batch change drops the old table; with foreign keys on, that deletes its children."""
    project = make_project(url, models=lambda db: None)
    sa.event.listen(project.engine(), "connect", enforce_foreign_keys)
    project.write("one.py", PARENT_AND_CHILD)
    project.repository.upgrade("parent1")
    with project.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO parent (id, name) VALUES (1, 'Ada')")
        connection.exec_driver_sql("INSERT INTO child (id, parent_id) VALUES (1, 1)")
    project.write("two.py", CHANGE_PARENT)
    project.repository.upgrade()
    with project.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM child").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    project.write("three.py", ORPHANS)
    with pytest.raises(flask_sakyum_migrate.DatabaseError, match="child -> parent"):
        project.repository.upgrade()
    assert project.repository.current()[0].heads == ("parent2",)
    with project.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM parent").scalar() == 1


def enforce_foreign_keys(driver: Any, record: Any) -> None:
    driver.execute("PRAGMA foreign_keys=ON")


def test_threads_take_turns(make_project: ProjectMaker, make_database: Any) -> None:
    projects = [make_project(make_database("sqlite"), folder=f"p{n}") for n in range(4)]
    for one in projects:
        one.repository.revision("create", autogenerate=True)
    threads = [threading.Thread(target=one.repository.upgrade) for one in projects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.tables() == {"alembic_version", "user"} for one in projects)


def test_the_repository_of_the_current_application(
    make_project: ProjectMaker, make_database: Any
) -> None:
    first = make_project(make_database("sqlite"), folder="first")
    second = make_project(make_database("sqlite"), folder="second")
    for one in (first, second):
        with one.app.app_context():
            assert first.migrate.repository.path == one.path / "migrations"
    with pytest.raises(ConfigError, match="no current application"):
        first.migrate.repository  # noqa: B018
    with Flask("bare").app_context(), pytest.raises(ConfigError, match="bare has no Migrate"):
        first.migrate.repository  # noqa: B018


def test_the_folder_is_found_beside_the_application(
    make_project: ProjectMaker, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    project = make_project(url, directory="migrations", init=False)
    with pytest.raises(ConfigError) as error:
        project.repository.heads()
    for place in (elsewhere, project.path, tmp_path):
        assert str(place / "migrations") in str(error.value)
    monkeypatch.chdir(project.path)
    project.repository.init()
    monkeypatch.chdir(elsewhere)
    assert project.repository.path == project.path / "migrations"


def test_configure_callbacks_and_get_config(project: Project) -> None:
    @project.migrate.configure
    def more(config: Any) -> Any:
        config.set_main_option("file_template", "%%(slug)s")
        return config

    made = project.repository.revision("by callback")
    assert made is not None and made.path.name == "by_callback.py"
    with project.app.app_context():
        config = project.migrate.get_config(opts=["autogenerate"], x_arg="a=1")
    assert config.cmd_opts.x == ["a=1"] and config.cmd_opts.autogenerate
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(config).get_current_head() == made.id


def test_configure_args_are_lent_and_given_back(project: Project) -> None:
    state = project.app.extensions["migrate"]
    assert state.configure_args == {"compare_type": True, "render_as_batch": True}
    with state.context():
        state.configure_args["process_revision_directives"] = print
    assert set(state.configure_args) == {"compare_type", "render_as_batch"}


def test_module_functions_of_flask_migrate(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = str(project.path / "migrations")
    with project.app.app_context():
        compat.migrate(directory, message="create")
        compat.upgrade(directory)
        capsys.readouterr()
        compat.current(directory)
        head = project.repository.heads()[0].id
        assert capsys.readouterr().out == f"{head} (head)\n"
        compat.history(directory)
        assert capsys.readouterr().out == f"<base> -> {head} (head), create\n"
        compat.check()
        compat.stamp()
        compat.downgrade(directory, "base")
        with pytest.raises(SystemExit) as error:
            compat.upgrade(directory, "nothing")
        assert error.value.code == 1
    for name in ("upgrade", "init", "Config", "command", "alembic_version"):
        assert getattr(flask_sakyum_migrate, name) is getattr(compat, name)
    with pytest.raises(AttributeError):
        flask_sakyum_migrate.nonsense  # noqa: B018


def test_a_database_at_an_unknown_revision(project: Project) -> None:
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    with project.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9f1c'")
    for verb in (project.repository.upgrade, project.repository.current, project.repository.stamp):
        with pytest.raises(HistoryError, match="at revision 9f1c, which no file in "):
            verb()
    project.repository.stamp(purge=True)
    assert project.repository.current()[0].revisions[0].is_head


OLD_ENV = """
from logging.config import fileConfig
from alembic import context
from flask import current_app

config = context.config
fileConfig(config.config_file_name)
state = current_app.extensions["migrate"]
with state.db.engine.connect() as connection:
    args = state.configure_args
    args["process_revision_directives"] = lambda *_: None
    context.configure(connection=connection, target_metadata=state.metadata, **args)
    with context.begin_transaction():
        context.run_migrations()
"""
OLD_INI = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARN
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""
BAD = '''"""bad"""
from alembic import op

revision = "bad1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE early (id INTEGER)")
    # the next one fails
    op.execute("DELETE FROM missing")


def downgrade():
    pass
'''
PARENT_AND_CHILD = '''"""parent and child"""
from alembic import op

revision = "parent1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20))")
    op.execute(
        "CREATE TABLE child (id INTEGER PRIMARY KEY, "
        "parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)"
    )


def downgrade():
    pass
'''
CHANGE_PARENT = '''"""longer names"""
from alembic import op
import sqlalchemy as sa

revision = "parent2"
down_revision = "parent1"


def upgrade():
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("name", type_=sa.String(40))


def downgrade():
    pass
'''
ORPHANS = '''"""leaves orphans"""
from alembic import op

revision = "parent3"
down_revision = "parent2"


def upgrade():
    op.execute("DELETE FROM parent")


def downgrade():
    pass
'''
