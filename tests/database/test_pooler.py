"""Behind PgBouncer that pools transactions: the lock holds, and nothing stays in its sessions."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import LockTimeoutError
from flask_sakyum_migrate.upgrading.lock import Lock, _digest
from tests.conftest import SERVERS, DatabaseMaker
from tests.database.test_lock import ADVISORY_LOCKS, CONCURRENTLY, FIRST, STEPS, Race

CONFIG = """
[databases]
{name} = host={host} port={port} user={user} {password} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
query_wait_timeout = 60
"""
SETTINGS = (
    "application_name",
    "client_connection_check_interval",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "synchronous_commit",
)


@dataclass
class Pooler:
    """PgBouncer in front of a database.

    :param url: of the database, through it.
    :param direct: of the database itself.
    :param size: how many sessions of the server it shares among all its clients.
    """

    url: str
    direct: str
    size: int

    def sessions(self, count: int | None = None) -> list[tuple[object, ...]]:
        """Return what is set in its sessions, and how many statements are prepared there.

        :param count: of how many; None: all.
        """
        shown = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        statement = f"SELECT {shown}, (SELECT count(*) FROM pg_prepared_statements)"
        engine = sa.create_engine(self.url, connect_args={"prepare_threshold": None})
        found, pids = [], set()
        with ExitStack() as stack:
            for _ in range(count or self.size):  # in a transaction each: no two have the same
                connection = stack.enter_context(engine.connect())
                pids.add(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
                found.append(tuple(connection.exec_driver_sql(statement).one()))
        engine.dispose()
        assert len(pids) == (count or self.size)
        return found

    def untouched(self) -> list[tuple[object, ...]]:
        """Return what a new session of the server has, once for each."""
        engine = sa.create_engine(self.direct)
        shown = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        with engine.connect() as connection:
            row = connection.exec_driver_sql(f"SELECT {shown}, 0").one()
        engine.dispose()
        return [tuple(row)] * self.size


Start = Callable[[int], Pooler]


@pytest.fixture
def start(tmp_path: Path, make_database: DatabaseMaker) -> Iterator[Start]:
    """Start a pooler with so many sessions, in front of a database of its own."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        problem = "PgBouncer is not installed: apt-get install pgbouncer"
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    processes: list[subprocess.Popen[bytes]] = []

    def start(size: int) -> Pooler:
        direct = sa.make_url(make_database("postgresql"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = tmp_path / "pgbouncer.ini"
        server = sa.make_url(SERVERS["postgresql"])
        config.write_text(
            CONFIG.format(
                name=direct.database,
                host=server.host,
                port=server.port or 5432,
                user=server.username,
                password=f"password={server.password}" if server.password else "",
                own_port=port,
                size=size,
            )
        )
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it does not run as root
        log = (tmp_path / "pgbouncer.log").open("wb")
        with log:
            processes.append(
                subprocess.Popen([program, *user, str(config)], stderr=log, stdout=log)
            )
        _wait_for(port, tmp_path / "pgbouncer.log")
        url = direct.set(host="127.0.0.1", port=port)
        return Pooler(
            url.render_as_string(hide_password=False),
            direct.render_as_string(hide_password=False),
            size,
        )

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"PgBouncer does not answer: {log.read_text()[-2000:]}")


@pytest.mark.parametrize("size", [4, 2])
def test_eight_processes_behind_a_small_pool(start: Start, tmp_path: Path, size: int) -> None:
    pooler = start(size)
    before = pooler.sessions()
    race = Race(tmp_path, pooler.url)
    (race.versions / "i001.py").write_text(CONCURRENTLY.format(n=STEPS))
    race.upgrade_at_once()
    race.url = pooler.direct
    assert race.ask("SELECT n FROM counter") == STEPS
    assert race.ask("SELECT version_num FROM alembic_version") == "i001"
    assert race.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_n'::regclass")
    assert race.ask(ADVISORY_LOCKS) == 0
    assert pooler.sessions() == before == pooler.untouched()


def test_a_killed_holder_behind_the_pooler(start: Start, tmp_path: Path) -> None:
    pooler = start(4)
    race = Race(tmp_path, pooler.url)
    race.kill_in("op.execute('SELECT pg_sleep(30)')")
    assert race.finish(race.flask("upgrade", "--lock-wait", "20")) == (0, "")
    race.url = pooler.direct
    assert race.ask("SELECT n FROM counter") == STEPS
    assert race.ask(ADVISORY_LOCKS) == 0
    assert pooler.sessions() == pooler.untouched()


def test_settings_are_of_the_transactions_of_the_run(start: Start) -> None:
    """PgBouncer gives a session to the next client as the last one left it.

    With what psycopg prepared there, which it does with a statement that it runs often.
    """
    pooler = start(3)
    label = f"flask-sakyum-migrate {_digest('.alembic_version').hex()[:12]}"
    direct, engine = sa.create_engine(pooler.direct), sa.create_engine(pooler.url)
    started = threading.Event()

    def outlive() -> None:  # so that the lock looks at it many times
        with direct.connect() as orphan:
            orphan.exec_driver_sql(f"SET LOCAL application_name = '{label}'")
            started.set()
            orphan.exec_driver_sql("SELECT pg_sleep(1.5)")

    thread = threading.Thread(target=outlive)
    thread.start()
    assert started.wait(30)
    with engine.connect() as connection, Lock().hold(connection, "alembic_version", None):
        thread.join()
        for _ in range(8):
            shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SETTINGS[:2]]
            assert shown == [label, "500ms"]
            connection.commit()
            assert pooler.sessions(2) == pooler.untouched()[:2]  # the lock has the third
    engine.dispose()
    direct.dispose()
    assert pooler.sessions() == pooler.untouched()


def test_who_waits_leaves_the_sessions_to_others(start: Start) -> None:
    pooler = start(1)
    direct, pooled = sa.create_engine(pooler.direct), sa.create_engine(pooler.url)
    waited: list[float] = []
    over = threading.Event()

    def work() -> None:
        arguments = {"prepare_threshold": None}
        engine = sa.create_engine(pooler.url, poolclass=sa.NullPool, connect_args=arguments)
        with engine.connect() as connection:
            while not over.wait(0.02):
                started = time.monotonic()
                connection.exec_driver_sql("SELECT 1")
                connection.rollback()
                waited.append(time.monotonic() - started)

    with direct.connect() as first, Lock().hold(first, "alembic_version", None):
        thread = threading.Thread(target=work)
        thread.start()
        with pooled.connect() as second:
            lock = Lock(2).hold(second, "alembic_version", None)
            with pytest.raises(LockTimeoutError):
                lock.__enter__()
        over.set()
        thread.join()
    direct.dispose()
    pooled.dispose()
    assert len(waited) > 10
    assert max(waited) < 1
    assert pooler.sessions() == pooler.untouched()


def test_a_slow_step_with_two_sessions(start: Start, tmp_path: Path) -> None:
    """The lock has one and the step the other: whoever looks who is in the way gets none."""
    pooler = start(2)
    race = Race(tmp_path, pooler.url)
    slow = FIRST.replace("r000", "s000").replace("counter", "slow")
    slow = slow.replace("def upgrade():", "def upgrade():\n    op.execute('SELECT pg_sleep(1)')")
    (race.versions / "slow.py").write_text(slow)
    started = time.monotonic()
    assert race.finish(race.flask("upgrade", "s000", "--transaction", "all")) == (0, "")
    assert time.monotonic() - started < 30  # query_wait_timeout is 60
