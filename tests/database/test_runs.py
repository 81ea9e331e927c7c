"""The history of runs: a row for each step, in the transaction of the step."""

from __future__ import annotations

import getpass
import hashlib
import socket
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import StepError
from flask_sakyum_migrate.results import RunRecord
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user, define_user_and_log

TABLE = '''"""{message}"""
from alembic import op
import sqlalchemy as sa

revision = "{id}"
down_revision = {down!r}


def upgrade():
    op.create_table("{name}", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO {name} VALUES (1)")
    {more}


def downgrade():
    op.drop_table("{name}")
'''
CUSTOM_ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=db.metadata, version_table="school_version"
    )
    with context.begin_transaction():
        context.run_migrations()
"""


def add(project: Project, id: str, down: Any, name: str, message: str = "", more: str = "") -> Path:
    text = TABLE.format(id=id, down=down, name=name, message=message or f"add {name}", more=more)
    return project.write(f"{id}.py", text)


@pytest.fixture(params=["generated", "custom"])
def any_env(request: pytest.FixtureRequest) -> str | None:
    """The text of an env.py of somebody's own; None for the generated one."""
    return CUSTOM_ENV if request.param == "custom" else None


@pytest.fixture
def line(make_project: ProjectMaker, bind_url: str, any_env: str | None) -> Project:
    project = make_project(bind_url)
    if any_env is not None:
        (project.path / "migrations" / "env.py").write_text(any_env)
    add(project, "aa11", None, "one")
    add(project, "bb22", "aa11", "two", message="add two: schön")
    return project


def told(project: Project) -> list[tuple[str, str, str]]:
    return [(one.direction, one.revision, one.outcome) for one in project.repository.runs()]


def test_a_row_for_each_step_and_each_stamp(line: Project) -> None:
    assert line.repository.runs() == []
    line.app.config["MIGRATE_APP_VERSION"] = "2.1"
    before = datetime.now(timezone.utc) - timedelta(seconds=1)  # MySQL keeps whole seconds
    line.repository.upgrade()
    line.repository.downgrade("-1")
    line.repository.stamp("bb22")
    assert told(line) == [
        ("stamp", "bb22", "done"),
        ("downgrade", "bb22", "done"),
        ("upgrade", "bb22", "done"),
        ("upgrade", "aa11", "done"),
    ]
    stamp, _, second, first = line.repository.runs()
    assert (stamp.parents, first.parents, second.parents) == (("aa11",), (), ("aa11",))
    path = line.path / "migrations" / "versions" / "bb22.py"
    assert second == RunRecord(
        revision="bb22",
        direction="upgrade",
        outcome="done",
        bind="default",
        parents=("aa11",),
        message="add two: schön",
        started=second.started,
        finished=second.finished,
        seconds=second.seconds,
        user=getpass.getuser(),
        host=socket.gethostname(),
        app_version="2.1",
        checksum=hashlib.sha256(path.read_bytes()).hexdigest(),
        error="",
    )
    assert second.started is not None and second.finished is not None
    after = datetime.now(timezone.utc) + timedelta(seconds=1)
    assert before <= second.started <= second.finished <= after
    assert second.seconds is not None and 0 <= second.seconds < 60
    assert [one.heads for one in line.repository.current()] == [("bb22",)]
    assert [one.revision for one in line.repository.runs(2)] == ["bb22", "bb22"]


def test_a_stamp_stays_without_a_history_too(line: Project) -> None:
    """Alembic's begin_transaction(_per_migration=True) is there, and commits."""
    line.app.config["MIGRATE_RUNS_TABLE"] = False
    line.repository.upgrade()
    line.repository.stamp("aa11")
    assert [one.heads for one in line.repository.current()] == [("aa11",)]
    line.repository.stamp("bb22", purge=True)
    assert [one.heads for one in line.repository.current()] == [("bb22",)]


def test_a_failed_step_is_told_with_its_first_line(line: Project) -> None:
    line.repository.upgrade()
    add(line, "cc33", "bb22", "three", more="raise ValueError('no three\\nnot now')")
    with pytest.raises(StepError):
        line.repository.upgrade()
    assert told(line)[:2] == [("upgrade", "cc33", "failed"), ("upgrade", "bb22", "done")]
    failed = line.repository.runs(1)[0]
    assert failed.error == "upgrade of cc33 (add three) failed: ValueError: no three not now"
    assert failed.message == "add three" and failed.user == getpass.getuser()
    add(line, "cc33", "bb22", "three")  # what ran before the error is the same statement
    line.repository.upgrade()
    assert told(line)[:2] == [("upgrade", "cc33", "done"), ("upgrade", "cc33", "failed")]


def test_the_first_step_of_all_may_fail(line: Project) -> None:
    add(line, "aa11", None, "one", more="raise ValueError('no')")
    with pytest.raises(StepError):
        line.repository.upgrade()
    assert told(line) == [("upgrade", "aa11", "failed")]


def test_the_row_is_rolled_back_with_its_step(
    make_project: ProjectMaker, bind_url: str, any_env: str | None
) -> None:
    """Where a step is not there, neither is its row, whatever failed after it was written."""
    project = make_project(bind_url)
    if any_env is not None:
        (project.path / "migrations" / "env.py").write_text(any_env)
    add(project, "aa11", None, "one")

    @project.migrate.after_step
    def refuse(step: Any, connection: sa.Connection) -> None:
        raise ValueError("no")

    with pytest.raises(Exception, match="no"):
        project.repository.upgrade()
    assert [one.heads for one in project.repository.current()] == [()]
    assert told(project) == [("upgrade", "aa11", "failed")]


def test_models_and_database_are_compared_without_it(
    make_project: ProjectMaker, bind_url: str, any_env: str | None
) -> None:
    project = make_project(bind_url)
    if any_env is not None:
        (project.path / "migrations" / "env.py").write_text(any_env)
    made = project.repository.revision("create", autogenerate=True)
    assert made is not None
    project.repository.upgrade()
    table = "school_version" if any_env else "alembic_version"
    with project.engine().begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {table}_journal (id INTEGER)"))
    names = set(sa.inspect(project.engine()).get_table_names())
    assert names == {"user", table, f"{table}_runs", f"{table}_journal"}
    assert project.repository.check().operations == ()
    assert project.repository.revision("again", autogenerate=True) is None


def test_a_table_of_the_models_is_compared(make_project: ProjectMaker, bind_url: str) -> None:
    """It hides from autogenerate what has its names, and not what a model is for."""

    def define(db: Any) -> None:
        define_user(db)
        db.Table("other_version_runs", sa.Column("id", sa.Integer, primary_key=True))

    project = make_project(bind_url, models=define)
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert "other_version_runs" in sa.inspect(project.engine()).get_table_names()
    assert project.repository.check().ok


def test_another_name_and_none(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url)
    project.app.config["MIGRATE_RUNS_TABLE"] = "deployments"
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert project.tables() == {"user", "alembic_version", "deployments"}
    assert project.repository.check().ok
    assert len(project.repository.runs()) == 1
    project.app.config["MIGRATE_RUNS_TABLE"] = False
    project.repository.downgrade("base")
    assert project.repository.runs() == []
    project.app.config["MIGRATE_RUNS_TABLE"] = "deployments"
    assert len(project.repository.runs()) == 1


def test_each_database_has_its_own(make_project: ProjectMaker, make_database: Any) -> None:
    project = make_project(
        make_database("sqlite"), binds={"logs": make_database("sqlite")}, models=define_user_and_log
    )
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    project.repository.downgrade("-1", bind="logs")
    assert [(one.bind, one.direction) for one in project.repository.runs()] == [
        ("logs", "downgrade"),
        ("logs", "upgrade"),
        ("default", "upgrade"),
    ]
    assert [one.bind for one in project.repository.runs(bind="default")] == ["default"]


def test_two_binds_in_one_database_share_a_row(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url, binds={"logs": url}, models=define_user_and_log)
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    assert [one.bind for one in project.repository.runs()] == ["default+logs"]


def test_no_database_and_no_table_are_an_empty_history(project: Project, url: str) -> None:
    assert project.repository.runs() == []
    assert not Path(sa.make_url(url).database or "").exists()


# ---- what must not break a run ---------------------------------------------------------------


def test_a_table_of_an_older_version_gets_what_it_has(line: Project) -> None:
    (line.path / "migrations" / "versions" / "bb22.py").unlink()
    custom = "school_version" in (line.path / "migrations" / "env.py").read_text()
    table = f"{'school' if custom else 'alembic'}_version_runs"
    kind = {"postgresql": "SERIAL", "sqlite": "INTEGER"}.get(line.engine().dialect.name, "SERIAL")
    with line.engine().begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {table} (id {kind} PRIMARY KEY, revision VARCHAR(9),"
            " direction VARCHAR(9), outcome VARCHAR(9), host VARCHAR(255))"
        )
    said: list[str] = []
    repository = replace(line.repository, policy=replace(line.repository.policy, say=said.append))
    repository.upgrade()
    add(line, "cc33", "aa11", "three", more="raise ValueError('no')")
    with pytest.raises(StepError):
        repository.upgrade()
    host = socket.gethostname()
    assert repository.runs() == [
        RunRecord("cc33", "upgrade", "failed", host=host),
        RunRecord("aa11", "upgrade", "done", host=host),
    ]
    assert said == []


def test_somebody_elses_table_of_that_name_is_left_alone(line: Project) -> None:
    line.app.config["MIGRATE_RUNS_TABLE"] = "races"
    with line.engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE races (runner INTEGER)")
        connection.exec_driver_sql("INSERT INTO races VALUES (7)")
    said: list[str] = []
    repository = replace(line.repository, policy=replace(line.repository.policy, say=said.append))
    result = repository.upgrade()
    assert len(result.steps) == 2
    (text,) = said
    assert text.startswith("No history of this run: the table races cannot be written (it has ")
    with line.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM races").all() == [(7,)]


# What a role may do that may not make the table, or not write into it.
ROLES = {
    "no table": "GRANT ALL ON alembic_version, person TO {role}",
    "no row": "GRANT ALL ON alembic_version, person TO {role}; "
    "GRANT SELECT ON alembic_version_runs TO {role}",
}


@pytest.mark.parametrize("may", ROLES)
def test_a_role_that_may_not_write_it_upgrades_without(
    make_project: ProjectMaker, make_database: DatabaseMaker, may: str
) -> None:
    url = make_database("postgresql")
    project = make_project(url)
    project.write(
        "aa11.py",
        '"""people"""\nfrom alembic import op\nimport sqlalchemy as sa\n'
        'revision = "aa11"\ndown_revision = None\n\n\ndef upgrade():\n'
        '    op.create_table("person", sa.Column("id", sa.Integer))\n'
        '    op.execute("INSERT INTO person VALUES (1)")\n\n\ndef downgrade():\n    pass\n',
    )
    project.repository.upgrade()
    for id, down in (("bb22", "aa11"), ("cc33", "bb22")):
        project.write(
            f"{id}.py",
            f'"""more"""\nfrom alembic import op\nrevision = "{id}"\ndown_revision = "{down}"\n'
            '\n\ndef upgrade():\n    op.execute("UPDATE person SET id = id + 1")\n'
            "\n\ndef downgrade():\n    pass\n",
        )
    role = (sa.make_url(url).database or "").replace("migrate_test", "role")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        if may == "no table":
            connection.exec_driver_sql("DROP TABLE alembic_version_runs")
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        try:
            connection.exec_driver_sql(ROLES[may].format(role=role))
            other = make_project(
                sa.make_url(url).set(username=role).render_as_string(hide_password=False)
            )
            result = other.flask("upgrade")
            assert result.exit_code == 0, result.stderr
            assert (
                result.stderr.count("No history of this run: the table alembic_version_runs") == 1
            )
            assert "permission denied" in result.stderr
            assert connection.exec_driver_sql("SELECT id FROM person").scalar() == 3
            with other.app.app_context():
                other.db.engine.dispose()
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    admin.dispose()


def test_a_word_that_the_database_cannot_write(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    """A database in LATIN1 does not take every message; the step is applied all the same."""
    url = sa.make_url(make_database("postgresql"))
    latin = f"{url.database}_latin1"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {latin} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        )
        try:
            project = make_project(url.set(database=latin).render_as_string(hide_password=False))
            add(project, "aa11", None, "one")
            add(project, "bb22", "aa11", "two", message="add 二")
            result = project.flask("upgrade")
            assert result.exit_code == 0, result.stderr
            assert "No history of this run" in result.stderr
            assert told(project) == [("upgrade", "aa11", "done")]
            assert project.tables() == {"one", "two", "alembic_version"}
            with project.app.app_context():
                project.db.engine.dispose()
        finally:
            connection.exec_driver_sql(f"DROP DATABASE {latin} WITH (FORCE)")
    admin.dispose()


def test_somebody_who_holds_the_table_is_not_waited_for_when_a_step_failed(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    """The person sees the error of the step after two seconds at most."""
    url = make_database("postgresql")
    project = make_project(url)
    add(project, "aa11", None, "one")
    project.repository.upgrade()
    engine = sa.create_engine(url)
    done = threading.Event()

    def hold() -> None:
        with engine.begin() as connection:  # gets it when the step is rolled back
            connection.exec_driver_sql("LOCK TABLE alembic_version_runs")
            done.wait(30)

    thread = threading.Thread(target=hold)

    @project.migrate.before_step
    def start(step: Any, connection: sa.Connection) -> None:
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
        while not connection.exec_driver_sql(f"{waits} 'alembic_version_runs'::regclass").scalar():
            pass

    add(project, "bb22", "aa11", "two", more="raise ValueError('no')")
    started = time.monotonic()
    with pytest.raises(StepError):
        project.repository.upgrade()
    assert time.monotonic() - started < 10
    done.set()
    thread.join()
    engine.dispose()
    assert told(project) == [("upgrade", "aa11", "done")]


def test_statements_that_commit_by_themselves(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url)
    add(project, "aa11", None, "one")
    add(project, "bb22", "aa11", "two", message="schön")
    result = project.flask("upgrade", "--transaction", "none")
    assert result.exit_code == 0, result.stderr
    assert told(project) == [("upgrade", "bb22", "done"), ("upgrade", "aa11", "done")]


def test_a_connection_of_the_callers(make_project: ProjectMaker, bind_url: str) -> None:
    """The rows are in the caller's transaction; a failure writes none beside it."""
    project = make_project(bind_url)
    add(project, "aa11", None, "one")
    with project.app.app_context(), project.db.engine.connect() as connection:
        project.migrate.repository.upgrade(connection=connection)
        connection.commit()
    assert told(project) == [("upgrade", "aa11", "done")]
    add(project, "bb22", "aa11", "two", more="raise ValueError('no')")
    with project.app.app_context(), project.db.engine.connect() as connection:
        with pytest.raises(StepError):
            project.migrate.repository.upgrade(connection=connection)
        connection.rollback()
    assert told(project) == [("upgrade", "aa11", "done")]


def test_plain_alembic_goes_on_on_the_same_database(
    make_project: ProjectMaker, bind_url: str
) -> None:
    import alembic.command

    project = make_project(bind_url)
    add(project, "aa11", None, "one")
    project.repository.upgrade()
    add(project, "bb22", "aa11", "two")
    with project.app.app_context():
        alembic.command.upgrade(project.migrate.get_config(), "head")
        alembic.command.downgrade(project.migrate.get_config(), "-1")
    assert told(project) == [("upgrade", "aa11", "done")]
    project.repository.upgrade()
    assert told(project)[0] == ("upgrade", "bb22", "done")
