"""A new revision is tried on a copy of the schema: silence where it is right, words where not."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from flask_sqlalchemy import SQLAlchemy

from flask_sakyum_migrate import copies, scratch
from flask_sakyum_migrate.errors import DatabaseError
from flask_sakyum_migrate.repository import Repository
from tests.conftest import SERVERS, DatabaseMaker, Project, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table

LEFT = "Tried on a copy of the schema: it runs, and then something still differs:\n"
FAILED = "does not run on a copy of the schema. The file is there; mend it.\n"

pytestmark = pytest.mark.usefixtures("scratch_prefix")


def exam(*names: str) -> Models:
    """Two tables with a foreign key, and one that nothing is to happen to."""

    def models(db: SQLAlchemy) -> None:
        table(db, "other", sa.Column("kind", sa.Enum("a", "b", name="kind")))
        table(db, "school", sa.Column("name", sa.String(20)))
        table(
            db,
            "exam",
            *(sa.Column(name, sa.String(20), index=True) for name in names),
            sa.Column("school_id", sa.ForeignKey("school.id")),
        )

    return models


Hook = Callable[[ops.UpgradeOps], None]


def hooked(make: ProjectMaker, url: str, hook: Hook, **options: Any) -> Project:
    """Return a project at head with rows, whose models want more; its hook has the last word."""
    active: list[bool] = []

    def process(context: Any, revision: Any, scripts: Any) -> None:
        if active and scripts[0].upgrade_ops.ops:
            hook(scripts[0].upgrade_ops)

    story = Story(make, url, process_revision_directives=process, **options)
    project = story.upgraded(exam("name"), "--no-prove")
    with project.engine().begin() as connection:
        connection.exec_driver_sql("INSERT INTO school (id, name) VALUES (1, 'North')")
        connection.exec_driver_sql("INSERT INTO exam (id, name, school_id) VALUES (1, 'Maths', 1)")
    active.append(True)
    return story.with_models(exam("name", "nick"))


def nothing(upgrade: ops.UpgradeOps) -> None:
    """Leave the revision as it is."""


def executing(statement: str) -> Hook:
    return lambda upgrade: upgrade.ops.append(ops.ExecuteSQLOp(statement))


def forgetting_indexes(upgrade: ops.UpgradeOps) -> None:
    for one in upgrade.ops:
        if isinstance(one, ops.ModifyTableOps) and len(one.ops) > 1:
            one.ops = [it for it in one.ops if not isinstance(it, ops.CreateIndexOp)]


def everything(project: Project) -> dict[str, Any]:
    """Return what is in a database and on its server that a trial could have left or changed."""
    engine = project.engine()
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        names = sorted(inspector.get_table_names())
        found: dict[str, Any] = {
            name: (
                [(one["name"], str(one["type"])) for one in inspector.get_columns(name)],
                sorted(str(one["name"]) for one in inspector.get_indexes(name)),
                connection.exec_driver_sql(f"SELECT * FROM {name}").all(),
            )
            for name in names
        }
        if engine.dialect.name == "postgresql":
            found["types"] = connection.exec_driver_sql(
                "SELECT typname FROM pg_type WHERE typtype = 'e' ORDER BY 1"
            ).all()
            found["sessions"] = connection.exec_driver_sql(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in%%' AND pid <> pg_backend_pid()"
            ).all()
            databases = "SELECT datname FROM pg_database"
        else:
            databases = "SHOW DATABASES"
        if engine.dialect.name != "sqlite":
            there = connection.exec_driver_sql(databases).scalars()
            found["databases"] = [name for name in there if name.startswith(scratch.PREFIX)]
            assert not found["databases"]
    return found


def test_one_that_is_right(make_project: ProjectMaker, bind_url: str) -> None:
    project = hooked(make_project, bind_url, nothing)
    before = everything(project)
    made = ran(project, "migrate", "--json")
    assert json.loads(made.stdout)["left"] == []
    assert "Tried" not in made.stderr
    assert "copy of the schema" not in made.stderr
    assert everything(project) == before
    amended = ran(project, "migrate", "--amend", "--json")
    assert json.loads(amended.stdout)["left"] == []
    ran(project, "upgrade")
    assert rows(project, "SELECT name, nick FROM exam") == [("Maths", None)]
    settled(project)


def test_the_first_revision(make_project: ProjectMaker, bind_url: str) -> None:
    project = make_project(bind_url, models=exam("name"))
    made = ran(project, "migrate", "--json")
    report = json.loads(made.stdout)
    assert (report["left"], report["failed"]) == ([], "")
    assert project.tables() == set()


def test_one_that_leaves_something(make_project: ProjectMaker, bind_url: str) -> None:
    project = hooked(make_project, bind_url, forgetting_indexes)
    before = everything(project)
    made = ran(project, "migrate", "--json")
    assert f"{LEFT}  op.create_index(op.f('ix_exam_nick'), 'exam'" in made.stderr
    assert "The next flask db migrate would find that again." in made.stderr
    report = json.loads(made.stdout)
    assert "ix_exam_nick" in report["left"][0]
    assert Path(report["revision"]["path"]).exists()
    assert everything(project) == before


def test_one_that_does_not_run(make_project: ProjectMaker, bind_url: str) -> None:
    project = hooked(make_project, bind_url, executing("nonsense"))
    before = everything(project)
    made = ran(project, "migrate", "--json")
    report = json.loads(made.stdout)
    assert f"{report['revision']['path']} {FAILED}" in made.stderr
    assert "nonsense" in made.stderr
    assert "rolled back" not in made.stderr
    assert (report["left"], "nonsense" in report["failed"]) == (None, True)
    assert everything(project) == before


def test_rows_stay(make_project: ProjectMaker, bind_url: str) -> None:
    project = hooked(make_project, bind_url, executing("DELETE FROM exam"))
    before = everything(project)
    assert json.loads(ran(project, "migrate", "--json").stdout)["left"] == []
    assert everything(project) == before


@pytest.mark.parametrize("options", [["--no-prove"], []])
def test_switched_off(make_project: ProjectMaker, url: str, options: list[str]) -> None:
    project = hooked(make_project, url, executing("nonsense"))
    if not options:
        project.app.config["MIGRATE_PROVE"] = False
    assert FAILED not in ran(project, "migrate", *options).stderr
    assert FAILED in ran(project, "migrate", "--amend").stderr or not options


def test_always_thorough(make_project: ProjectMaker, url: str) -> None:
    project = make_project(url)
    project.app.config["MIGRATE_PROVE"] = "yes"
    assert "up, down, up" in ran(project, "migrate").stderr
    project.app.config["MIGRATE_PROVE"] = "perhaps"
    result = project.flask("migrate")
    assert "MIGRATE_PROVE is 'perhaps', and has to be True or False." in result.stderr


def test_revision(make_project: ProjectMaker, url: str) -> None:
    project = hooked(make_project, url, executing("nonsense"))
    assert FAILED in ran(project, "revision", "--autogenerate").stderr
    assert FAILED not in ran(project, "revision", "--head", "base", "--splice").stderr


def test_update_looks_once(
    make_project: ProjectMaker, bind_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = hooked(make_project, bind_url, forgetting_indexes)
    monkeypatch.setattr(copies, "copy_of", None)
    made = ran(project, "update")
    assert "Compared after the upgrade: something still differs:\n  op.create_in" in made.stderr
    assert made.stderr.count("The next flask db migrate would find that again.") == 1


def test_nothing_of_the_application_is_called(make_project: ProjectMaker, bind_url: str) -> None:
    called: list[Any] = []
    project = hooked(
        make_project,
        bind_url,
        nothing,
        on_version_apply=lambda **_: called.append("on_version_apply"),
    )
    for moment in ("before_upgrade", "after_upgrade", "before_step", "after_step", "seed"):
        getattr(project.migrate, moment)(lambda *_, moment=moment: called.append(moment))
    called.clear()
    assert json.loads(ran(project, "migrate", "--json").stdout)["left"] == []
    assert called == []
    ran(project, "upgrade")
    assert "on_version_apply" in called
    assert "before_step" in called


def test_an_env_py_of_the_project(
    make_project: ProjectMaker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = hooked(make_project, url, executing("nonsense"))
    env = project.path.parent / "state1" / "migrations" / "env.py"
    env.write_text(env.read_text() + "\nmine = True\n")
    assert "ried" not in ran(project, "migrate").stderr
    monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
    said = ran(project, "migrate", "--amend").stderr
    assert "Not tried on default: env.py was written for this project.\n" in said


def test_a_hook_that_is_called_once_only(
    make_project: ProjectMaker, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def once(upgrade: ops.UpgradeOps) -> None:
        calls.append(upgrade)
        if len(calls) > 1:
            raise AttributeError("only once")

    def add(upgrade: ops.UpgradeOps) -> None:
        once(upgrade)
        forgetting_indexes(upgrade)

    project = hooked(make_project, url, add)
    monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
    made = ran(project, "migrate")
    assert "Not tried on default: " in made.stderr
    assert "AttributeError: only once\n" in made.stderr
    assert "Read the file" in made.stderr


def test_a_crash(
    make_project: ProjectMaker, bind_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = hooked(make_project, bind_url, nothing)
    before = everything(project)
    checks: list[Any] = []

    def check(*arguments: Any, **more: Any) -> None:
        checks.append(more["connection"])
        raise KeyboardInterrupt

    monkeypatch.setattr(Repository, "check", check)
    assert project.flask("migrate").exit_code == 1
    assert len(checks) == 1
    assert everything(project) == before


def test_too_many_tables(
    make_project: ProjectMaker, bind_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = hooked(make_project, bind_url, nothing)
    monkeypatch.setattr(copies, "MOST", 0)
    made = ran(project, "migrate", "--json")
    assert json.loads(made.stdout)["left"] is None
    monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
    said = ran(project, "migrate", "--amend").stderr
    assert "Not tried on default: The revision is about more than 0 tables.\n" in said


def test_several_binds(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    def models(*names: str) -> Models:
        def define(db: SQLAlchemy) -> None:
            for key, kind in ((None, "student"), ("logs", "log"), ("more", "note")):
                columns = (sa.Column(name, sa.String(20), index=True) for name in names)
                table(db, kind, *columns, **({"bind_key": key} if key else {}))

        return define

    binds = {"logs": make_database("postgresql"), "more": make_database("mariadb")}
    story = Story(make_project, make_database("sqlite"), binds=binds)
    story.upgraded(models("name"))
    project = story.with_models(models("name", "nick"))
    report = json.loads(ran(project, "migrate", "--json").stdout)
    assert report["left"] == []
    assert len(report["revision"]["changes"]) == 6
    Path(report["revision"]["path"]).unlink()
    report = json.loads(ran(project, "migrate", "--bind", "logs", "--json").stdout)
    assert report["left"] == []
    with project.app.app_context():
        trial = project.repository.try_out(project.repository.revision("empty") or pytest.fail())
    # The other binds still miss the column, which is not what that file is about.
    assert trial.left == ()


# ---- one database ------------------------------------------------------------------------------


def test_sqlite_has_more_than_tables(make_project: ProjectMaker, url: str) -> None:
    project = hooked(make_project, url, nothing)
    for statement in (
        "CREATE VIEW names AS SELECT name FROM exam",
        "CREATE TRIGGER noted AFTER INSERT ON exam BEGIN UPDATE school SET name = 'x'; END",
        "CREATE VIRTUAL TABLE words USING fts5(word)",
        "INSERT INTO words VALUES ('maths')",
        "ANALYZE",
    ):
        rows(project, statement)
    with project.app.app_context():
        made = project.repository.revision("more", autogenerate=True)
        assert made is not None
        trial = project.repository.try_out(made)
    assert (trial.left, trial.failed, trial.skipped) == ((), "", {})


def test_mysql_copies_what_foreign_keys_tie(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    project = hooked(make_project, make_database("mariadb"), nothing)
    rows(
        project, "CREATE TABLE pupil (exam_id INTEGER, FOREIGN KEY (exam_id) REFERENCES exam (id))"
    )
    found: set[str] = set()
    subject = copies.Subject(project.repository.databases()[0], "exam", "alembic_version")
    with copies.copy_of(subject) as copy:
        found = set(sa.inspect(copy.connection).get_table_names())
        assert copy.connection.exec_driver_sql("SELECT * FROM alembic_version").all()
        assert copy.connection.exec_driver_sql("SELECT * FROM exam").all() == []
    assert found == {"alembic_version", "exam", "school", "pupil"}
    assert "other" in copy.beside


def test_a_user_who_may_not_make_databases(
    make_project: ProjectMaker, make_database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sa.make_url(make_database("mariadb"))
    name = f"u{uuid.uuid4().hex[:8]}"
    with on_server("mariadb") as server:
        server.exec_driver_sql(f"CREATE USER {name} IDENTIFIED BY 'secret'")
        server.exec_driver_sql(f"GRANT ALL ON {url.database}.* TO {name}")
        try:
            own = url.set(username=name, password="secret").render_as_string(hide_password=False)
            project = make_project(own, models=exam("name"))
            made = ran(project, "migrate", "--json")
            assert json.loads(made.stdout)["left"] is None
            assert "throw-away" not in made.stderr
            monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
            assert "No throw-away database can be made" in ran(project, "migrate", "--amend").stderr
        finally:
            server.exec_driver_sql(f"DROP USER {name}")


@contextmanager
def on_server(kind: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_another_schema_is_real(
    make_project: ProjectMaker, make_database: DatabaseMaker, kind: str
) -> None:
    project = hooked(make_project, make_database(kind), nothing)
    database = project.repository.databases()[0]
    for text in ("op.drop_table('exam', schema='school')", f"DROP TABLE {database.name}.exam"):
        if kind == "sqlite" and "schema" not in text:
            continue
        text = text.replace(database.name, str(database.engine.url.database))
        subject = copies.Subject(database, text, "alembic_version")
        with pytest.raises(DatabaseError, match=r"in another database|names the database"):
            copies.copy_of(subject).__enter__()


@pytest.fixture
def postgresql(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    """A project whose hook adds nonsense, so that a trial would be heard."""
    return hooked(make_project, make_database("postgresql"), executing("nonsense"))


def test_large_tables_are_not_locked(postgresql: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LARGEST", 100_000)
    rows(
        postgresql,
        "INSERT INTO other (id) SELECT number FROM generate_series(1, 5000) AS number",
    )
    assert FAILED in ran(postgresql, "migrate").stderr  # it is about another table
    rows(
        postgresql,
        "INSERT INTO exam (id) SELECT number FROM generate_series(2, 5000) AS number",
    )
    monkeypatch.setenv("FLASK_DB_VERBOSE", "1")
    made = ran(postgresql, "migrate", "--amend")
    assert FAILED not in made.stderr
    assert "Not tried on default: exam is large, and the trial would lock it.\n" in made.stderr


def test_partitions_are_a_part_of_the_table(postgresql: Project) -> None:
    rows(postgresql, "CREATE TABLE part (id INTEGER) PARTITION BY RANGE (id)")
    rows(postgresql, "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (9)")
    rows(postgresql, "INSERT INTO part VALUES (1)")
    database = postgresql.repository.databases()[0]
    with postgresql.engine().connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "LARGEST", 1)
        with pytest.raises(DatabaseError, match="part is large"):
            copies._small_enough(connection, copies.Subject(database, "part", "alembic_version"))


def test_a_table_that_somebody_uses(postgresql: Project) -> None:
    with postgresql.engine().begin() as connection:
        connection.exec_driver_sql("LOCK TABLE exam IN ACCESS SHARE MODE")
        made = ran(postgresql, "migrate")
        assert FAILED not in made.stderr
        assert Path(made.stdout.strip()).exists()
    assert FAILED in ran(postgresql, "migrate", "--amend").stderr


@pytest.mark.parametrize("statement", ["COMMIT", "CREATE INDEX CONCURRENTLY i ON exam (name)"])
def test_what_cannot_be_taken_back(
    make_project: ProjectMaker, make_database: DatabaseMaker, statement: str
) -> None:
    project = hooked(make_project, make_database("postgresql"), executing(statement))
    before = everything(project)
    assert json.loads(ran(project, "migrate", "--json").stdout)["left"] is None
    assert everything(project) == before


def test_a_commit_is_refused(postgresql: Project) -> None:
    database = postgresql.repository.databases()[0]
    with copies.copy_of(copies.Subject(database, "", "alembic_version")) as copy:
        copy.connection.exec_driver_sql("DROP TABLE exam")
        with pytest.raises(DatabaseError, match="commits"):
            copy.connection.commit()
    assert "exam" in postgresql.tables()


def test_an_engine_that_commits_each_statement(
    make_project: ProjectMaker, make_database: DatabaseMaker
) -> None:
    url = make_database("postgresql")
    project = hooked(make_project, url, nothing)
    before = everything(project)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with project.app.app_context():
            made = project.repository.revision("more", autogenerate=True)
            assert made is not None
            database = project.repository.databases()[0]
            bind = type(database.binds[0])("default", engine, database.binds[0].metadata)
            subject = copies.Subject(type(database)((bind,)), "exam", "alembic_version")
            with copies.copy_of(subject) as copy:
                copy.connection.exec_driver_sql("DROP TABLE exam")
    finally:
        engine.dispose()
    assert everything(project) == before


def test_a_protected_database(postgresql: Project) -> None:
    postgresql.app.config["MIGRATE_PROTECTED"] = True
    assert FAILED not in ran(postgresql, "migrate").stderr


def test_a_new_label_of_an_enum(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    def models(*labels: str) -> Models:
        return lambda db: table(db, "exam", sa.Column("kind", sa.Enum(*labels, name="kind")))

    story = Story(make_project, make_database("postgresql"))
    story.upgraded(models("a", "b"))
    project = story.with_models(models("a", "b", "c"))
    before = everything(project)
    assert json.loads(ran(project, "migrate", "--json").stdout)["left"] == []
    assert everything(project) == before
    ran(project, "upgrade")
    settled(project)


def test_readers_wait_for_a_moment_only(
    make_project: ProjectMaker, make_database: DatabaseMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = hooked(make_project, make_database("postgresql"), nothing)
    inner, waiting = Repository.check, threading.Event()

    def check(self: Repository, *arguments: Any, **more: Any) -> Any:
        waiting.set()
        return inner(self, *arguments, **more)

    monkeypatch.setattr(Repository, "check", check)
    limits: list[Any] = []
    original = copies._small_enough

    def small_enough(connection: sa.Connection, subject: copies.Subject) -> Any:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        limits.extend(connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names)
        return original(connection, subject)

    monkeypatch.setattr(copies, "_small_enough", small_enough)
    ran(project, "migrate")
    assert waiting.is_set()
    assert limits == ["100ms", "2s", "15s"]
    assert rows(project, "SHOW lock_timeout") == [("0",)]
