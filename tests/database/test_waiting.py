"""Locks of the application on PostgreSQL: short waits, revisions tried again, who is in the way.

And which transactions a run uses, on each database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError, StepError
from flask_sakyum_migrate.upgrading import postgresql
from tests.conftest import DatabaseMaker, Project, ProjectMaker

TABLES = '''"""tables"""
from alembic import op
import sqlalchemy as sa

revision = "r1"
down_revision = None


def upgrade():
    op.create_table("busy", sa.Column("id", sa.Integer))
    op.create_table("quiet", sa.Column("n", sa.Integer))
    op.execute("INSERT INTO quiet VALUES (0)")
    op.execute("INSERT INTO busy VALUES (1)")


def downgrade():
    op.drop_table("quiet")
    op.drop_table("busy")
'''
ALTER = '''"""alter busy"""
from alembic import op
import sqlalchemy as sa

revision = "r2"
down_revision = "r1"
{settings}

def upgrade():
    op.execute("UPDATE quiet SET n = n + 1")
    op.add_column("busy", sa.Column("c", sa.Integer))


def downgrade():
    op.drop_column("busy", "c")
'''
BROKEN = '''"""broken"""
from alembic import op

revision = "r3"
down_revision = "r2"


def upgrade():
    op.execute("UPDATE quiet SET n = 100")
    op.execute("SELECT nothing FROM nowhere")


def downgrade():
    pass
'''
SLOW = ALTER.replace("{settings}", "").replace(
    "UPDATE quiet SET n = n + 1", "SELECT pg_sleep({seconds})"
)
HOLD = "SELECT * FROM busy"


@pytest.fixture
def busy(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    """A project on PostgreSQL at r1, with r2 to run, which changes the table ``busy``."""
    project = make_project(make_database("postgresql"))
    project.write("r1.py", TABLES)
    project.flask("upgrade")
    project.write("r2.py", ALTER.format(settings=""))
    return project


@contextmanager
def holding(engine: sa.Engine, until: float | threading.Event) -> Iterator[None]:
    """Keep a transaction open that reads the table ``busy``, in another thread."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        own = sa.create_engine(engine.url)
        with own.connect() as connection:
            connection.exec_driver_sql(HOLD)
            held.set()
            if isinstance(until, threading.Event):
                until.wait(60)
            else:
                done.wait(until)
        own.dispose()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        yield
    finally:
        done.set()
        if isinstance(until, threading.Event):
            until.set()
        thread.join()


@pytest.fixture
def somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of this process count as those of another one."""
    monkeypatch.setattr(postgresql, "own_backends", frozenset)


def upgrade(project: Project, **policy: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    repository = project.repository
    repository = replace(repository, policy=replace(repository.policy, say=said.append, **policy))
    return repository.upgrade(), said


def value(project: Project, statement: str) -> Any:
    with project.engine().connect() as connection:
        return connection.exec_driver_sql(statement).scalar()


@pytest.mark.usefixtures("somebody_else")
def test_the_revision_is_tried_again_as_a_whole(busy: Project) -> None:
    with holding(busy.engine(), 5):
        result, said = upgrade(busy)
    (step,) = result.steps
    assert (step.revision, step.number, step.total) == ("r2", 1, 1)
    assert value(busy, "SELECT n FROM quiet") == 1  # rolled back with each try that failed
    first, *others = said
    assert first.startswith("Waiting for a lock. In the way: backend pid ")
    assert "idle in transaction" in first and f"({HOLD})" in first
    assert all("Trying again in" in one for one in others)


@pytest.mark.usefixtures("somebody_else")
def test_readers_go_on_while_it_waits(busy: Project) -> None:
    worst = 0.0
    over = threading.Event()

    def read() -> None:
        nonlocal worst
        with busy.engine().connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            while not over.is_set():
                started = time.perf_counter()
                connection.exec_driver_sql("SELECT count(*) FROM busy")
                worst = max(worst, time.perf_counter() - started)
                time.sleep(0.01)

    reader = threading.Thread(target=read)
    reader.start()
    with holding(busy.engine(), 3):
        upgrade(busy)
    over.set()
    reader.join()
    assert worst < 1.0  # 3 s where the ALTER waits as long as it takes


@pytest.mark.usefixtures("somebody_else")
def test_it_gives_up_and_says_who_was_in_the_way(
    busy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "TRIES", 3)
    forever = threading.Event()
    with holding(busy.engine(), forever), pytest.raises(StepError) as caught:
        upgrade(busy, lock_timeout=0.6)
    message = str(caught.value)
    assert "upgrade of r2 (alter busy) failed: LockNotAvailable" in message
    assert "In the way in 3 tries: backend pid " in message
    assert 'lock_timeout = "30s"' in message
    assert value(busy, "SELECT n FROM quiet") == 0
    assert len(busy.repository.upgrade().steps) == 1


def test_it_does_not_wait_for_itself(busy: Project) -> None:
    with busy.app.app_context():
        busy.db.session.execute(sa.text(HOLD))
        started = time.monotonic()
        with pytest.raises(
            StepError, match=r"This very process is in the way.*db\.session\."
        ) as no:
            upgrade(busy, lock_timeout=1.0)
        assert time.monotonic() - started < 10
        busy.db.session.close()
    assert no.value.revision == "r2"
    assert len(busy.repository.upgrade().steps) == 1


@pytest.mark.usefixtures("somebody_else")
def test_a_revision_sets_its_own_limit(busy: Project) -> None:
    busy.write("r2.py", ALTER.format(settings='lock_timeout = "20s"\n'))
    with holding(busy.engine(), 2):
        result, said = upgrade(busy, lock_timeout=0.1)
    assert len(result.steps) == 1
    assert not any("Trying again" in one for one in said)


def test_a_limit_that_is_none(busy: Project) -> None:
    busy.write("r2.py", ALTER.format(settings='lock_timeout = "soon"\n'))
    with pytest.raises(ConfigError, match=r"r2\.py says lock_timeout = 'soon'\."):
        busy.repository.upgrade()


def test_a_statement_that_takes_too_long(busy: Project) -> None:
    busy.write(
        "r2.py",
        ALTER.format(settings="").replace("UPDATE quiet SET n = n + 1", "SELECT pg_sleep(9)"),
    )
    with pytest.raises(StepError, match="canceling statement due to statement timeout"):
        upgrade(busy, statement_timeout=0.3)


def test_a_short_timeout_of_the_role_does_not_count(busy: Project) -> None:
    busy.write("r2.py", SLOW.format(seconds=0.5))
    with busy.engine().begin() as connection:
        name = connection.engine.url.database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET statement_timeout = 100")
    busy.engine().dispose()
    assert len(busy.repository.upgrade().steps) == 1


def test_nothing_is_left_set_on_the_connection(busy: Project) -> None:
    ask = "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')"
    before = value(busy, ask)
    upgrade(busy, lock_timeout=3.0, statement_timeout=60.0)
    assert value(busy, ask) == before


def test_a_backend_of_this_process_is_found(busy: Project) -> None:
    with busy.engine().connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        assert pid in postgresql.own_backends()


# ---- transactions ----------------------------------------------------------------------------


@pytest.fixture
def broken(bind_url: str, make_project: ProjectMaker) -> Project:
    """A project with three revisions, of which the last one fails in its second statement."""
    project = make_project(bind_url)
    project.write("r1.py", TABLES)
    project.write("r2.py", ALTER.format(settings=""))
    project.write("r3.py", BROKEN)
    return project


LEFT: dict[tuple[str, str | None], tuple[str, int]] = {
    # database, mode: the revision it is at, the value in its table
    ("postgresql", None): ("r2", 1),
    ("postgresql", "per-revision"): ("r2", 1),
    ("postgresql", "all"): ("", 0),
    ("postgresql", "none"): ("r2", 100),
    ("sqlite", None): ("", 0),
    ("sqlite", "per-revision"): ("r2", 1),
    ("sqlite", "all"): ("", 0),
    ("sqlite", "none"): ("r2", 100),
    ("mysql", None): ("r2", 1),
    ("mysql", "per-revision"): ("r2", 1),
    ("mysql", "all"): ("r2", 1),
    ("mysql", "none"): ("r2", 100),
}


@pytest.mark.parametrize("mode", [None, "per-revision", "all", "none"])
def test_what_a_failure_leaves(broken: Project, mode: str | None) -> None:
    options = ("--transaction", mode) if mode else ()
    result = broken.flask("upgrade", *options)
    assert result.exit_code == 1
    revision, number = LEFT[broken.engine().dialect.name, mode]
    heads = broken.repository.current()[0].heads
    assert heads == ((revision,) if revision else ())
    if revision:
        assert value(broken, "SELECT n FROM quiet") == number
    else:
        assert not broken.tables() & {"busy", "quiet"}


def test_the_message_is_true(broken: Project) -> None:
    said = {
        "postgresql": "This revision was rolled back; the ones before it are applied.",
        "sqlite": "The whole run was rolled back.",
    }.get(broken.engine().dialect.name)
    if said is not None:
        assert said in broken.flask("upgrade").stderr
    # Each statement is committed, so the next run leaves out the one that ran.
    stays = "Statement 1 is noted: what stays of that is not run again."
    assert stays in broken.flask("upgrade", "--transaction", "none").stderr


def test_a_setting_for_the_transactions(broken: Project) -> None:
    broken.app.config["MIGRATE_TRANSACTION"] = "per-revision"
    assert broken.flask("upgrade").exit_code == 1
    assert broken.repository.current()[0].heads == ("r2",)
    broken.app.config["MIGRATE_TRANSACTION"] = "some"
    error = broken.flask("upgrade").stderr
    assert error == (
        "Error: MIGRATE_TRANSACTION is 'some', and has to be one of per-revision, all, none.\n"
    )


ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata{more})
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.mark.parametrize(
    ("more", "heads"),
    [("", ("r2",)), (", transaction_per_migration=False", ())],
    ids=["silent", "explicit"],
)
def test_an_env_of_ones_own(
    make_project: ProjectMaker, make_database: DatabaseMaker, more: str, heads: tuple[str, ...]
) -> None:
    project = make_project(make_database("postgresql"))
    for name, text in {
        "r1.py": TABLES,
        "r2.py": ALTER.format(settings=""),
        "r3.py": BROKEN,
    }.items():
        project.write(name, text)
    (project.path / "migrations" / "env.py").write_text(ENV.format(more=more))
    assert project.flask("upgrade").exit_code == 1
    assert project.repository.current()[0].heads == heads
    project.flask("upgrade", "--transaction", "per-revision")
    assert project.repository.current()[0].heads == ("r2",)  # what is typed wins over env.py


def test_none_needs_a_connection_without_a_transaction(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("postgresql"))
    project.write("r1.py", TABLES)
    env = ENV.format(more="").replace("db.engine.connect()", "db.engine.begin()")
    (project.path / "migrations" / "env.py").write_text(
        env.replace(
            "    context.conf", "    connection.exec_driver_sql('SELECT 1')\n    context.conf"
        )
    )
    error = project.flask("upgrade", "--transaction", "none").stderr
    assert "env.py begins a transaction of its own" in error


def test_only_the_last_commit_waits_for_the_disk(busy: Project) -> None:
    """Its place in the log is after all others, so they are on the disk with it."""
    engine = busy.engine()
    seen: list[str] = []

    def at_commit(connection: sa.Connection) -> None:
        seen.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())

    assert busy.flask("upgrade").exit_code == 0
    sa.event.listen(engine, "commit", at_commit)
    assert busy.flask("downgrade", "base").exit_code == 0
    sa.event.remove(engine, "commit", at_commit)
    assert (seen.count("off"), seen[-1]) == (1, "on")
