"""``prepare`` with real processes: servers that start late, databases that are not there yet."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_sakyum_migrate import DatabaseError, HookError, Migrate
from flask_sakyum_migrate.binds import read_heads
from flask_sakyum_migrate.upgrading.servers import is_passing
from tests.conftest import SERVERS, DatabaseMaker, Project, ProjectMaker, define_user

from .test_runs import CUSTOM_ENV, add

APP = """
import os
import signal
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sakyum_migrate import Migrate

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
migrate = Migrate(app, db)


class Role(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(20))


@migrate.seed
def roles():
    db.session.add(Role(name="admin"))


@migrate.seed
def more_roles():
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
    db.session.add(Role(name="guest"))
"""
ROLE = '''"""role"""
from alembic import op
import sqlalchemy as sa

revision = "r000"
down_revision = None


def upgrade():
    op.create_table(
        "role", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20))
    )
    op.create_table("counter", sa.Column("n", sa.Integer))
    op.execute("INSERT INTO counter VALUES (0)")


def downgrade():
    op.drop_table("counter")
    op.drop_table("role")
'''
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
STEPS = 4


class Containers:
    """A project on disk that several processes prepare at once."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        (path / "app.py").write_text(APP)
        assert self.finish(self.start("init"))[0] == 0
        self.versions = path / "migrations" / "versions"
        (self.versions / "r000.py").write_text(ROLE)
        for n in range(1, STEPS + 1):
            (self.versions / f"r{n:03}.py").write_text(NEXT.format(n=n, before=n - 1))

    def start(self, *args: str, url: str | None = None, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "db", *args],
            cwd=self.path,
            env={**os.environ, "DATABASE_URL": url or self.url, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a process; return its exit code, and what it said."""
        _, talk = process.communicate(timeout=120)
        return process.returncode, talk

    def prepare(self, *args: str, **env: str) -> tuple[int, str]:
        return self.finish(self.start("prepare", *args, **env))

    def prepare_at_once(self, count: int = 3, **env: str) -> None:
        running = [self.start("prepare", "--wait", "30", **env) for _ in range(count)]
        done = [self.finish(one) for one in running]
        assert [code for code, _ in done] == [0] * count, [one for one in done if one[0]]

    def ask(self, statement: str) -> list[Any]:
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return list(connection.exec_driver_sql(statement).scalars())
        finally:
            engine.dispose()

    def is_complete(self) -> None:
        """Check that each revision ran once, and each seed function."""
        assert self.ask("SELECT n FROM counter") == [STEPS]
        assert self.ask("SELECT version_num FROM alembic_version") == [f"r{STEPS:03}"]
        assert self.ask("SELECT name FROM role ORDER BY id") == ["admin", "guest"]


@pytest.fixture
def missing(
    request: pytest.FixtureRequest, tmp_path: Path, server_problems: dict[str, str | None]
) -> Iterator[Callable[[str], str]]:
    """Give the URL of a database of a kind that is not there; it is dropped after the test."""
    urls: list[sa.URL] = []

    def name_one(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'data' / 'deep' / 'school.db'}"
        if server_problems[kind]:
            pytest.skip(f"{kind} does not answer: {server_problems[kind]}")
        # A name that has to be quoted, as the names of some hosters have.
        name = f"migrate-test-{uuid.uuid4().hex[:12]}"
        urls.append(sa.make_url(SERVERS[kind]).set(database=name))
        return urls[-1].render_as_string(hide_password=False)

    yield name_one
    for url in urls:
        kind = "mariadb" if url.get_backend_name() == "mysql" else "postgresql"
        engine = sa.create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT")
        quoted = engine.dialect.identifier_preparer.quote_identifier(url.database or "")
        force = "" if kind == "mariadb" else " WITH (FORCE)"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted}{force}")
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def containers(
    request: pytest.FixtureRequest, tmp_path: Path, missing: Callable[[str], str]
) -> Containers:
    """A project with revisions, seed functions and a database that is not there."""
    (tmp_path / "school").mkdir()
    return Containers(tmp_path / "school", missing(request.param))


# ---- several containers at once --------------------------------------------------------------


def test_eight_processes_on_a_database_that_is_not_there(containers: Containers) -> None:
    containers.prepare_at_once(8)
    containers.is_complete()
    containers.prepare_at_once()
    containers.is_complete()
    done = containers.ask("SELECT message FROM alembic_version_runs WHERE outcome <> 'done'")
    assert done == []


def test_eight_processes_without_a_history_of_runs(containers: Containers) -> None:
    containers.prepare_at_once(8, MIGRATE_RUNS_TABLE="false")
    containers.is_complete()


def test_under_an_env_py_of_somebodys_own(containers: Containers) -> None:
    custom = CUSTOM_ENV.replace('version_table="school_version"', 'version_table="alembic_version"')
    (containers.path / "migrations" / "env.py").write_text(custom)
    containers.prepare_at_once()
    containers.is_complete()


def test_killed_between_two_seed_functions(containers: Containers) -> None:
    code, _ = containers.prepare(KILLED="1")
    assert code == -signal.SIGKILL
    assert containers.ask("SELECT name FROM role") == ["admin"]
    containers.prepare_at_once()
    containers.is_complete()


def test_killed_between_the_upgrade_and_the_seed_functions(containers: Containers) -> None:
    app = containers.path / "app.py"
    app.write_text(APP.replace("def roles():", "def roles():\n    more_roles()\n    return"))
    code, _ = containers.prepare(KILLED="1")
    assert code == -signal.SIGKILL
    assert containers.ask("SELECT name FROM role") == []
    app.write_text(APP)
    containers.prepare_at_once()
    containers.is_complete()


def test_killed_in_the_upgrade(containers: Containers) -> None:
    first = containers.versions / "r000.py"
    first.write_text(ROLE.replace("def upgrade():", KILL))
    code, _ = containers.prepare(KILLED="1")
    assert code == -signal.SIGKILL
    containers.prepare_at_once()
    containers.is_complete()


KILL = """def upgrade():
    import os, signal
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)"""


def test_a_database_with_tables_is_not_seeded(containers: Containers) -> None:
    # What is there may be somebody's: its rows, and another application's.
    path = sa.make_url(containers.url).database
    if containers.url.startswith("sqlite"):
        assert path is not None
        Path(path).parent.mkdir(parents=True)
    else:
        name = "postgresql" if containers.url.startswith("postgresql") else "mariadb"
        engine = sa.create_engine(SERVERS[name], isolation_level="AUTOCOMMIT")
        quoted = engine.dialect.identifier_preparer.quote_identifier(path or "")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
        engine.dispose()
    engine = sa.create_engine(containers.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE old (id INTEGER)")
    engine.dispose()
    code, talk = containers.prepare()
    assert code == 0 and "seed" not in talk
    assert containers.ask("SELECT name FROM role") == []
    assert containers.ask("SELECT n FROM counter") == [STEPS]


def test_a_version_table_that_appears_while_it_is_read(bind_url: str) -> None:
    """Between the SELECT that fails and the look whether the table is there."""
    engine = sa.create_engine(bind_url)
    with engine.connect() as connection:  # SQLite: the file is there
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
        connection.commit()
    others = sa.create_engine(bind_url)

    def make_it(context: Any) -> None:
        with others.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('aa11')")

    sa.event.listen(engine, "handle_error", make_it)
    assert read_heads(engine) == ("aa11",)
    engine.dispose()
    others.dispose()


def test_nothing_to_do_is_fine(containers: Containers) -> None:
    assert containers.prepare()[0] == 0
    url = sa.make_url(containers.url).render_as_string(hide_password=True)
    code, talk = containers.prepare()
    assert code == 0
    assert talk.startswith(url.partition("?")[0]) and talk.endswith(": nothing to do.\n")
    assert talk.count("\n") == 1


# ---- servers that do not answer yet ----------------------------------------------------------


class Gate:
    """A port that leads to a server, when it is open.

    :param url: of a database behind it.
    """

    def __init__(self, url: str) -> None:
        there = sa.make_url(url)
        assert there.host is not None and there.port is not None
        self._there = (there.host, there.port)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._here = free.getsockname()
        self.answer: bytes | None = None
        self.tries = 0
        self.url = there.set(host="127.0.0.1", port=self._here[1]).render_as_string(
            hide_password=False
        )

    def open(self) -> None:
        listener = socket.create_server(self._here)
        listener.settimeout(0.05)
        self._run(lambda: self._accept(listener))

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, what: Callable[[], Any]) -> None:
        thread = threading.Thread(target=what)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while not self._stop.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                self.tries += 1
                if self.answer is not None:
                    self._refuse(client, self.answer)
                    continue
                server = socket.create_connection(self._there)
                self._run(lambda pair=(client, server): self._pass_on(*pair))  # type: ignore[misc]

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        import select

        with client, server:
            while not self._stop.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    (server if one is client else client).sendall(data)

    def _refuse(self, client: socket.socket, answer: bytes) -> None:
        """Answer as PostgreSQL does before it has a session: to the wish for SSL, then an error."""
        with client:
            client.settimeout(5)
            if client.recv(8)[4:] == struct.pack("!I", 80877103):
                client.sendall(b"N")
                client.recv(1024)
            client.sendall(answer)


def pg_error(code: str, text: str) -> bytes:
    fields = b"".join(
        name + value.encode() + b"\0"
        for name, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", text))
    )
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


@pytest.fixture
def gates() -> Iterator[Callable[[str], Gate]]:
    made: list[Gate] = []

    def make(url: str) -> Gate:
        made.append(Gate(url))
        return made[-1]

    yield make
    for gate in made:
        gate.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_that_comes_up_late(
    tmp_path: Path,
    missing: Callable[[str], str],
    gates: Callable[[str], Gate],
    kind: str,
) -> None:
    containers = Containers(tmp_path, missing(kind))
    gate = gates(containers.url)
    running = [containers.start("prepare", "--wait", "60", url=gate.url) for _ in range(3)]
    for one in running:
        assert one.stderr is not None
        first = one.stderr.readline()
        assert " does not answer: " in first and "refused" in first
        assert first.endswith(". Waiting up to 60 s for it.\n")
    gate.open()
    done = [containers.finish(one) for one in running]
    assert [code for code, _ in done] == [0] * 3, done
    assert not any("Waiting up to" in talk for _, talk in done)
    containers.is_complete()


def waiting(
    project: Project, wait: float, gate: Gate | None = None
) -> tuple[list[str], float, DatabaseError | None]:
    """Prepare a project; return what it said, after how many seconds, and how it failed."""
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if gate is not None and "Waiting" in text:
            gate.answer = None  # started

    repository = project.repository
    repository = replace(repository, policy=replace(repository.policy, say=say))
    started = time.monotonic()
    try:
        repository.prepare(wait)
    except DatabaseError as error:
        return said, time.monotonic() - started, error
    return said, time.monotonic() - started, None


def test_a_server_that_is_starting_up(
    make_project: ProjectMaker, make_database: DatabaseMaker, gates: Callable[[str], Gate]
) -> None:
    url = make_database("postgresql")
    gate = gates(url)
    gate.answer = pg_error("57P03", "the database system is starting up")
    gate.open()
    project = make_project(gate.url)
    add(project, "aa11", None, "one")
    said, seconds, error = waiting(project, 30, gate)
    assert error is None
    assert 2 <= seconds < 30 and gate.tries >= 4
    assert len(said) == 1 and "FATAL:  the database system is starting up. Waiting" in said[0]
    assert "one" in project.tables()
    with project.app.app_context():
        project.db.engine.dispose()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("28P01", 'password authentication failed for user "school"'),
        ("28000", 'no pg_hba.conf entry for host "10.0.0.7", user "school"'),
        ("42501", 'permission denied for database "school"'),
    ],
)
def test_a_server_that_refuses_is_not_waited_for(
    make_project: ProjectMaker,
    make_database: DatabaseMaker,
    gates: Callable[[str], Gate],
    code: str,
    text: str,
) -> None:
    gate = gates(make_database("postgresql"))
    gate.answer = pg_error(code, text)
    gate.open()
    said, seconds, error = waiting(make_project(gate.url), 30)
    assert error is not None and text in error.message
    assert "Waited" not in error.message
    assert said == [] and seconds < 20


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_user_that_is_not_there_is_not_waited_for(
    make_project: ProjectMaker, make_database: DatabaseMaker, kind: str
) -> None:
    url = sa.make_url(make_database(kind)).set(username="nobody_is_called_so")
    said, seconds, error = waiting(make_project(url.render_as_string(hide_password=False)), 30)
    assert error is not None and "nobody_is_called_so" in error.message
    assert said == [] and seconds < 20


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@pytest.mark.parametrize("wait", [0, 1.2])
def test_a_server_that_never_answers(
    make_project: ProjectMaker,
    make_database: DatabaseMaker,
    gates: Callable[[str], Gate],
    kind: str,
    wait: float,
) -> None:
    gate = gates(make_database(kind))
    _, seconds, error = waiting(make_project(gate.url), wait)
    assert error is not None and "refused" in error.message
    assert bool(re.search(r" Waited \d+ s for it\.", error.message)) == bool(wait)
    assert "Is the server running" in error.hint
    assert wait <= seconds < wait + 20


def test_what_is_waited_for_by_the_numbers_of_mysql() -> None:
    def error(*args: Any) -> sa.exc.DBAPIError:
        return sa.exc.DBAPIError("", {}, Exception(*args))

    assert is_passing(error(2003, "Can't connect to MySQL server on 'db'"))
    assert is_passing(error(1040, "Too many connections"))
    assert not is_passing(error(1045, "Access denied for user"))
    assert not is_passing(error(1049, "Unknown database"))
    assert not is_passing(error("28000", "Login failed for user"))  # ODBC
    assert is_passing(error("08001", "Client unable to establish connection"))


# ---- making the database ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_it_is_made_with_what_the_engine_was_given(
    make_project: ProjectMaker, missing: Callable[[str], str], kind: str
) -> None:
    """Certificates and the like are in ``connect_args``, not in the URL."""
    url = sa.make_url(missing(kind))
    project = make_project("sqlite://")
    app = Flask("other")
    app.config["SQLALCHEMY_DATABASE_URI"] = url.set(host="nowhere.invalid", port=1)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"host": url.host, "port": url.port}}
    db = SQLAlchemy(app)
    migrate = Migrate(app, db, project.path / "migrations")
    with app.app_context():
        result = migrate.repository.prepare(0)
        assert result.created == (db.engine.url.render_as_string(),)
        assert migrate.repository.prepare(0).created == ()
        if kind == "mariadb":
            with db.engine.connect() as connection:
                charset = connection.exec_driver_sql("SELECT @@character_set_database").scalar()
            assert charset == "utf8mb4"
        db.engine.dispose()


def test_a_role_that_may_not_make_it_is_told_the_statement(
    make_project: ProjectMaker, missing: Callable[[str], str]
) -> None:
    url = sa.make_url(missing("postgresql"))
    role = f"role_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(SERVERS["postgresql"], isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        try:
            project = make_project(url.set(username=role).render_as_string(hide_password=False))
            _, seconds, error = waiting(project, 30)
        finally:
            connection.exec_driver_sql(f"DROP ROLE {role}")
    admin.dispose()
    assert error is not None and seconds < 20
    assert f"there is no database {url.database}, and it cannot be made: perm" in error.message
    assert error.hint == f'As a user who may:  CREATE DATABASE "{url.database}";'


def test_a_folder_that_cannot_be_made(make_project: ProjectMaker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    project = make_project(f"sqlite:///{tmp_path / 'file' / 'deep' / 'school.db'}")
    _, _, error = waiting(project, 30)
    assert error is not None
    folder = tmp_path / "file" / "deep"
    assert error.message == f"The folder {folder} cannot be made: Not a directory."


def test_every_bind(
    make_project: ProjectMaker, missing: Callable[[str], str], tmp_path: Path
) -> None:
    project = make_project(
        f"sqlite:///{tmp_path / 'a' / 'one.db'}", binds={"logs": missing("postgresql")}
    )
    add(project, "aa11", None, "one")
    result = project.repository.prepare(5)
    assert [one.partition(":")[0] for one in result.created] == ["postgresql+psycopg"]
    assert {visit.bind for visit in result.upgrade.visits} == {"default", "logs"}


def test_two_heads_are_both_upgraded_to(project: Project) -> None:
    add(project, "aa11", None, "one")
    add(project, "bb22", None, "two")
    assert project.repository.prepare(0).upgrade.visits[0].after == ("aa11", "bb22")


# ---- seeds -----------------------------------------------------------------------------------


@pytest.fixture
def seeded(make_project: ProjectMaker, bind_url: str) -> Project:
    """A project on an empty database, with a revision and a seed function."""
    project = make_project(bind_url)
    project.repository.revision("create", autogenerate=True)

    @project.migrate.seed
    def first() -> None:
        user = project.db.metadata.tables["user"]
        project.db.session.execute(sa.insert(user).values(name="Ada"))

    return project


def names(project: Project) -> list[str]:
    with project.engine().connect() as connection:
        table = sa.table("user", sa.column("name"))
        return list(connection.execute(sa.select(table.c.name)).scalars())


def test_what_was_called_is_told(seeded: Project) -> None:
    result = seeded.repository.prepare(0)
    (one,) = result.seeded
    assert one.name.endswith("seeded.<locals>.first") and one.seconds >= 0
    assert names(seeded) == ["Ada"]
    records = seeded.repository.runs()
    assert [(run.direction, run.outcome, run.message) for run in records[::-1]] == [
        ("seed", "done", "a new database"),
        ("upgrade", "done", "create"),
        ("seed", "done", one.name),
    ]
    assert seeded.repository.prepare(0).seeded == ()
    seeded.repository.downgrade("base")
    assert seeded.repository.prepare(0).seeded == ()  # it is not new any more


def test_one_that_fails_is_called_again_and_the_others_not(seeded: Project) -> None:
    broken = [True]

    @seeded.migrate.seed
    def second() -> None:
        user = seeded.db.metadata.tables["user"]
        seeded.db.session.execute(sa.insert(user).values(name="Bob"))
        if broken:
            raise ValueError("not yet\nreally")

    with pytest.raises(HookError) as info:
        seeded.repository.prepare(0)
    assert info.value.message.startswith("seed: second() failed: ValueError: not yet really\n")
    assert "It was rolled back. What ran before it stays: " in info.value.hint
    assert names(seeded) == ["Ada"]
    records = seeded.repository.runs()
    assert [(run.outcome, run.error) for run in records[:2]] == [
        ("failed", "not yet"),
        ("done", ""),
    ]
    assert records[-1].outcome == "pending"
    broken.clear()
    result = seeded.repository.prepare(0)
    assert [one.name.rpartition(".")[2] for one in result.seeded] == ["second"]
    assert names(seeded) == ["Ada", "Bob"]
    assert seeded.repository.prepare(0).seeded == ()


def test_a_row_that_cannot_be_committed_names_its_function(seeded: Project) -> None:
    @seeded.migrate.seed
    def twice() -> None:
        user = seeded.db.metadata.tables["user"]
        seeded.db.session.execute(sa.insert(user).values(id=1, name="Eve"))

    with pytest.raises(HookError, match=r"^seed: twice\(\) failed: \w+: ") as info:
        seeded.repository.prepare(0)
    assert isinstance(info.value.__cause__, sa.exc.IntegrityError)
    assert info.value.path == __file__
    assert names(seeded) == ["Ada"]


def test_by_hand_they_are_called_each_time(seeded: Project) -> None:
    seeded.repository.upgrade()
    said: list[str] = []
    seeded.repository.seed(on_seed=lambda one: said.append(one.name))
    seeded.repository.seed()
    assert names(seeded) == ["Ada", "Ada"]
    assert len(said) == 1
    assert [run.direction for run in seeded.repository.runs()] == ["seed", "seed", "upgrade"]


def test_a_second_process_waits_for_the_one_that_seeds(seeded: Project) -> None:
    """Their upgrades are over at once; the functions are called by one of them."""
    began, go_on = threading.Event(), threading.Event()

    @seeded.migrate.seed
    def slow() -> None:
        began.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=seeded.repository.prepare)
    thread.start()
    assert began.wait(30)
    said: list[str] = []

    def heard(text: str) -> None:
        said.append(text)
        go_on.set()

    repository = seeded.repository
    repository = replace(repository, policy=replace(repository.policy, say=heard))
    result = repository.prepare(0)
    thread.join()
    assert result.seeded == () and result.upgrade.steps == ()
    assert len(said) == 1 and " is being prepared by " in said[0]
    assert names(seeded) == ["Ada"]


def test_seeding_does_not_keep_a_run_away(seeded: Project) -> None:
    """It has a lock of its own: a function may even stamp the database."""

    @seeded.migrate.seed
    def stamp() -> None:
        repository = seeded.repository
        replace(repository, policy=replace(repository.policy, lock_wait=0)).stamp()

    assert len(seeded.repository.prepare(0).seeded) == 2


def test_without_a_history_the_one_that_began_seeds(seeded: Project) -> None:
    seeded.app.config["MIGRATE_RUNS_TABLE"] = False
    assert len(seeded.repository.prepare(0).seeded) == 1
    assert seeded.repository.prepare(0).seeded == ()
    assert names(seeded) == ["Ada"]
    assert seeded.tables() == {"user", "alembic_version"}


def test_no_revision_yet_is_no_time_to_seed(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url)
    project.migrate.seed(lambda: pytest.fail("there are no tables"))
    assert project.repository.prepare(0).seeded == ()


def test_an_application_without_a_session(
    project: Project, make_database: DatabaseMaker, tmp_path: Path
) -> None:
    """Its functions commit by themselves."""
    app = Flask("plain")
    engine = sa.create_engine(make_database("sqlite"))
    metadata = project.db.metadata
    migrate = Migrate(app, None, tmp_path / "plain", engines=engine, metadatas=metadata)

    @migrate.seed
    def ada() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO user (name) VALUES ('Ada')")

    with app.app_context():
        migrate.repository.init()
        migrate.repository.revision("create", autogenerate=True)
        assert len(migrate.repository.prepare(0).seeded) == 1
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name FROM user").scalars().all() == ["Ada"]
    engine.dispose()


def test_a_version_table_in_a_schema(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    url = make_database("postgresql")
    project = make_project(url, models=define_user, version_table_schema="migrations")
    with project.engine().begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA migrations")
    project.repository.revision("create", autogenerate=True)
    calls: list[int] = []
    project.migrate.seed(lambda: calls.append(1))
    project.repository.prepare(0)
    assert calls == [1]
    assert [run.direction for run in project.repository.runs()] == ["seed", "upgrade", "seed"]
    inspector = sa.inspect(project.engine())
    assert set(inspector.get_table_names(schema="migrations")) == {
        "alembic_version",
        "alembic_version_runs",
    }
    assert project.repository.check().ok
