"""One upgrade at a time, with real processes: each body runs exactly once, whoever comes first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError, LockTimeoutError
from flask_sakyum_migrate.upgrading.lock import Lock, _digest, _MySQL
from tests.conftest import DatabaseMaker, Project, ProjectMaker

APP = """
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
migrate = Migrate(app, db)
"""
FIRST = '''"""counter"""
from alembic import op
import sqlalchemy as sa

revision = "r000"
down_revision = None


def upgrade():
    op.create_table("counter", sa.Column("n", sa.Integer))
    op.execute("INSERT INTO counter VALUES (0)")


def downgrade():
    op.drop_table("counter")
'''
# The order that costs MySQL rows without a lock: the loser's UPDATE is committed by its own ALTER.
NEXT = '''"""step {n}"""
from alembic import op
import sqlalchemy as sa

revision = "r{n:03}"
down_revision = "r{before:03}"


def upgrade():
    op.execute("UPDATE counter SET n = n + 1")
    op.add_column("counter", sa.Column("c{n}", sa.Integer))


def downgrade():
    op.drop_column("counter", "c{n}")
'''
CONCURRENTLY = '''"""index"""
from alembic import op

revision = "i001"
down_revision = "r{n:03}"


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_n", "counter", ["n"], postgresql_concurrently=True)


def downgrade():
    op.drop_index("ix_n")
'''
CUSTOM_ENV = """
from alembic import context
from flask import current_app

db = current_app.extensions["migrate"].db
with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
# Of this database: the server has others.
ADVISORY_LOCKS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
PROCESSES = 8
STEPS = int(os.environ.get("TEST_RACE_STEPS", "10"))
ROUNDS = int(os.environ.get("TEST_RACE_ROUNDS", "1"))
"""In the full size, by hand:  TEST_RACE_STEPS=20 TEST_RACE_ROUNDS=5 pytest ... -k eight"""


class Race:
    """A project on disk that several processes upgrade at once."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        (path / "app.py").write_text(APP)
        assert self.finish(self.flask("init")) == (0, "")
        versions = path / "migrations" / "versions"
        (versions / "r000.py").write_text(FIRST)
        for n in range(1, STEPS + 1):
            (versions / f"r{n:03}.py").write_text(NEXT.format(n=n, before=n - 1))
        self.versions = versions

    def flask(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "db", *args],
            cwd=self.path,
            env={**os.environ, "DATABASE_URL": self.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a process; return its exit code, and what it said if it failed."""
        _, talk = process.communicate(timeout=120)
        return process.returncode, talk if process.returncode else ""

    def upgrade_at_once(self) -> None:
        running = [self.flask("upgrade") for _ in range(PROCESSES)]
        assert [self.finish(one) for one in running] == [(0, "")] * PROCESSES

    def kill_in(self, sleep: str) -> None:
        """Kill an upgrade (SIGKILL) while its revision runs what sleeps."""
        slow = self.versions / "slow.py"
        slow.write_text(
            FIRST.replace("r000", "s000").replace(
                'op.create_table("counter", sa.Column("n", sa.Integer))',
                f"print('sleeping', flush=True); {sleep}",
            )
        )
        first = self.flask("upgrade", "s000")
        assert first.stdout is not None
        assert first.stdout.readline() == "sleeping\n"
        first.send_signal(signal.SIGKILL)
        first.communicate()
        slow.unlink()

    def ask(self, statement: str) -> Any:
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return connection.exec_driver_sql(statement).scalar()
        finally:
            engine.dispose()


@pytest.fixture
def race(tmp_path: Path, bind_url: str) -> Race:
    return Race(tmp_path, bind_url)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_eight_processes_from_empty_and_from_the_middle(race: Race, number: int) -> None:
    race.upgrade_at_once()
    assert race.ask("SELECT n FROM counter") == STEPS
    assert race.finish(race.flask("downgrade", "r003")) == (0, "")
    race.upgrade_at_once()
    assert race.ask("SELECT n FROM counter") == STEPS + STEPS - 3
    assert race.ask("SELECT version_num FROM alembic_version") == f"r{STEPS:03}"
    assert list(race.path.glob("**/*.migrate-lock")) == []


def test_under_an_env_py_of_somebodys_own(race: Race) -> None:
    (race.path / "migrations" / "env.py").write_text(CUSTOM_ENV)
    race.upgrade_at_once()
    assert race.ask("SELECT n FROM counter") == STEPS


def test_with_an_index_that_is_built_concurrently(
    tmp_path: Path, make_database: DatabaseMaker
) -> None:
    race = Race(tmp_path, make_database("postgresql"))
    (race.versions / "i001.py").write_text(CONCURRENTLY.format(n=STEPS))
    race.upgrade_at_once()
    assert race.ask("SELECT n FROM counter") == STEPS
    assert race.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_n'::regclass")
    assert race.ask(ADVISORY_LOCKS) == 0


# ---- who waits, and for how long -------------------------------------------------------------


@pytest.fixture
def held(
    make_project: ProjectMaker, bind_url: str
) -> Iterator[Callable[[], tuple[Project, threading.Event]]]:
    """A project whose database is held by another session until the event is set."""
    engine = sa.create_engine(bind_url)
    release, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with (
            engine.connect() as connection,
            Lock().hold(connection, "alembic_version", None),
        ):
            taken.set()
            release.wait(60)

    thread = threading.Thread(target=hold)

    def start() -> tuple[Project, threading.Event]:
        project = make_project(bind_url)
        project.repository.revision("create", autogenerate=True)
        thread.start()
        assert taken.wait(10)
        return project, release

    yield start
    release.set()
    if thread.ident is not None:
        thread.join()
    engine.dispose()


def test_no_patience_fails_at_once_and_names_the_holder(held: Any) -> None:
    project, _ = held()
    result = project.flask("upgrade", "--lock-wait", "0")
    assert result.exit_code == 1
    assert "is being migrated by " in result.stderr
    assert "Waited 0 s for it." in result.stderr
    assert project.tables() <= {"alembic_version"}
    kind = project.engine().dialect.name
    expected = {"sqlite": f"pid {os.getpid()} on ", "postgresql": "backend pid "}
    assert expected.get(kind, "connection ") in result.stderr


def test_no_lock_does_not_look(held: Any) -> None:
    project, _ = held()
    assert project.flask("upgrade", "--no-lock").exit_code == 0


def test_it_waits_says_for_whom_and_goes_on(held: Any) -> None:
    project, release = held()
    said: list[str] = []

    def heard(text: str) -> None:
        said.append(text)
        release.set()

    from dataclasses import replace

    repository = project.repository
    result = replace(repository, policy=replace(repository.policy, say=heard)).upgrade()
    assert len(result.steps) == 1
    (text,) = said
    assert text.endswith("Waiting for it.") and "is being migrated by" in text


def test_at_head_nothing_is_locked(held: Any) -> None:
    project, _ = held()
    project.flask("upgrade", "--no-lock")
    assert project.flask("upgrade", "--lock-wait", "0").exit_code == 0
    (project.path / "migrations" / "env.py").write_text(CUSTOM_ENV)
    assert project.flask("upgrade", "--lock-wait", "0").exit_code == 0
    assert project.flask("downgrade", "--lock-wait", "0").exit_code == 1
    assert project.flask("stamp", "base", "--lock-wait", "0").exit_code == 1


def test_another_version_table_is_another_history(held: Any) -> None:
    project, _ = held()
    project.migrate.init_app(project.app, project.db, version_table="other")
    kind = project.engine().dialect.name
    one_writer = kind == "sqlite"  # a file has one, whatever its version tables
    assert project.flask("upgrade", "--lock-wait", "0").exit_code == one_writer


def test_a_setting_for_the_wait(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.repository.policy.lock_wait == 300
    monkeypatch.setenv("MIGRATE_LOCK_WAIT", "7")
    assert project.repository.policy.lock_wait == 7
    project.app.config["MIGRATE_LOCK_WAIT"] = 5
    assert project.repository.policy.lock_wait == 5
    for wrong in ("soon", -1, "nan"):
        project.app.config["MIGRATE_LOCK_WAIT"] = wrong
        with pytest.raises(ConfigError, match="has to be a number of seconds"):
            project.repository  # noqa: B018


def test_a_killed_holder_does_not_block_the_next(race: Race) -> None:
    """kill -9 in a long statement: the next run waits for what is left of it, and goes on."""
    sleep = {
        "postgresql": "op.execute('SELECT pg_sleep(30)')",
        "mysql": "op.get_bind().exec_driver_sql('SELECT SLEEP(3)')",
        "sqlite": "__import__('time').sleep(30)",
    }[sa.make_url(race.url).get_backend_name()]
    race.kill_in(sleep)
    assert race.finish(race.flask("upgrade", "--lock-wait", "20")) == (0, "")
    assert race.ask("SELECT n FROM counter") == STEPS


def test_the_session_goes_back_to_its_pool_as_it_came(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("postgresql"))
    project.repository.revision("create", autogenerate=True)
    project.repository.upgrade()
    with project.engine().connect() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == ""
        assert connection.exec_driver_sql("SHOW client_connection_check_interval").scalar() == "0"
        assert connection.exec_driver_sql(ADVISORY_LOCKS).scalar() == 0
    mariadb = make_project(make_database("mariadb"), folder="mariadb")
    mariadb.repository.revision("create", autogenerate=True)
    mariadb.repository.upgrade()
    with mariadb.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT RELEASE_ALL_LOCKS()").scalar() == 0


def test_a_lock_file_that_cannot_be_written_is_named(project: Project, url: str) -> None:
    project.repository.revision("create", autogenerate=True)
    path = Path(f"{sa.make_url(url).database}.migrate-lock")
    path.mkdir()
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert f"{path}, which keeps other runs away, cannot be written" in result.stderr
    assert project.tables() == set()
    path.rmdir()
    assert project.flask("upgrade").exit_code == 0


def test_a_server_that_goes_away_in_the_middle(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("postgresql"))
    project.write(
        "gone.py",
        FIRST.replace(
            'op.create_table("counter", sa.Column("n", sa.Integer))',
            'op.execute("SELECT pg_terminate_backend(pg_backend_pid())")',
        ),
    )
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert "upgrade of r000 (counter) failed" in result.stderr
    with project.engine().connect() as connection:  # the pool gives a working one
        assert connection.exec_driver_sql("SHOW application_name").scalar() == ""


@pytest.fixture
def plain_role(make_database: DatabaseMaker) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    """Engines to one database: of its owner, and of a role that has no rights to look at it."""
    url = make_database("postgresql")
    owner = sa.create_engine(url, poolclass=sa.NullPool)
    name = f"plain_{os.getpid()}"
    with owner.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
    plain = sa.create_engine(
        sa.make_url(url).set(username=name, password="plain"), poolclass=sa.NullPool
    )
    yield owner, plain
    with owner.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_role_that_may_not_look_at_others(plain_role: tuple[sa.Engine, sa.Engine]) -> None:
    """It sees their sessions without what they do, so it asks who has locks."""
    owner, plain = plain_role
    label = f"flask-sakyum-migrate {_digest('.alembic_version').hex()[:12]}"
    held = Lock(0).hold
    with owner.connect() as other:
        other.exec_driver_sql(f"SET application_name = '{label}'")
        pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with plain.connect() as mine, pytest.raises(LockTimeoutError) as caught:
            held(mine, "alembic_version", None).__enter__()
        assert f"by a statement whose client is gone (backend pid {pid})." in str(caught.value)
        other.commit()  # idle now: nothing of it can change the database any more
        with plain.connect() as mine, held(mine, "alembic_version", None):
            pass
    with owner.connect() as other, held(other, "alembic_version", None):
        with plain.connect() as mine, pytest.raises(LockTimeoutError) as caught:
            held(mine, "alembic_version", None).__enter__()
        assert re.search(r"is being migrated by backend pid \d+\. Waited", str(caught.value))


def test_names_that_are_longer_than_a_lock_of_mysql(make_database: DatabaseMaker) -> None:
    """64 characters for the name of a lock, and as many for a database and for a table."""
    short = make_database("mariadb")
    name, table = "d" * 64, "t" * 64
    admin = sa.create_engine(short, poolclass=sa.NullPool)
    engine = sa.create_engine(sa.make_url(short).set(database=name), poolclass=sa.NullPool)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        lock = Lock(0).hold
        with engine.connect() as first, engine.connect() as second, lock(first, table, None):
            assert len(_MySQL(first, f".{table}").name) < 64  # MariaDB itself takes more
            with pytest.raises(LockTimeoutError):
                lock(second, table, None).__enter__()
            with lock(second, table[:-1], None):
                pass
    finally:
        with admin.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")


def test_a_lock_that_is_lost_is_told(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = make_project(make_database("postgresql"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    mine = "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    project.write("r000.py", FIRST.replace("INSERT INTO counter VALUES (0)", f"{others} {mine}"))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert "The session that held the lock ended before the run did" in result.stderr
    assert "counter" in project.tables()


LABELLED = """
    bind = op.get_bind()
    with op.get_context().autocommit_block():
        assert bind.exec_driver_sql("SHOW application_name").scalar().startswith("flask-sak")
    assert bind.exec_driver_sql("SHOW application_name").scalar().startswith("flask-sak")
    assert bind.exec_driver_sql("SHOW client_connection_check_interval").scalar() == "500ms"
"""


@pytest.mark.parametrize("env", ["ours", "own", "begun"])
def test_the_session_of_a_run_has_a_name(
    make_project: ProjectMaker, make_database: DatabaseMaker, env: str
) -> None:
    project = make_project(make_database("postgresql"))
    body = LABELLED
    if env != "ours":
        (project.path / "migrations" / "env.py").write_text(CUSTOM_ENV)
    if env == "begun":  # a transaction of its own: there are no blocks in it
        begun = CUSTOM_ENV.replace("db.engine.connect()", "db.engine.begin()")
        (project.path / "migrations" / "env.py").write_text(begun)
        body = LABELLED.replace("with op.get_context().autocommit_block()", "if True")
    project.write("r000.py", FIRST.replace("def upgrade():", f"def upgrade():{body}"))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    with project.engine().connect() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == ""
        assert connection.exec_driver_sql("SHOW client_connection_check_interval").scalar() == "0"


def test_a_statement_that_outlived_its_client_is_waited_for(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    """Its session is active at the first look, and gone at a later one."""
    url = make_database("postgresql")
    project = make_project(url)
    project.repository.revision("create", autogenerate=True)
    engine = sa.create_engine(url)
    started = threading.Event()

    def outlive() -> None:
        with engine.connect() as connection:
            label = f"flask-sakyum-migrate {_digest('.alembic_version').hex()[:12]}"
            connection.exec_driver_sql(f"SET application_name = '{label}'")
            started.set()
            connection.exec_driver_sql("SELECT pg_sleep(1)")

    thread = threading.Thread(target=outlive)
    thread.start()
    assert started.wait(10)
    result = project.flask("upgrade", "--lock-wait", "20")
    thread.join()
    engine.dispose()
    assert result.exit_code == 0, result.stderr
    assert project.tables() == {"alembic_version", "user"}
