"""Revisions and env.py files that go their own way: commit, roll back, open connections, lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from flask_sakyum_migrate import StepError
from flask_sakyum_migrate.upgrading import own_ways, postgresql
from tests.conftest import DatabaseMaker, Project, ProjectMaker
from tests.database.test_lock import CUSTOM_ENV, STEPS, Race
from tests.database.test_waiting import holding

FIRST = '''"""thing"""
from alembic import op
import sqlalchemy as sa

revision = "aa11"
down_revision = None


def upgrade():
    op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO thing VALUES (1)")


def downgrade():
    op.drop_table("thing")
'''
SECOND = '''"""own way"""
from alembic import op
from flask import current_app
import sqlalchemy as sa

from tests.database.test_own_ways import is_locked

revision = "bb22"
down_revision = "aa11"


def upgrade():
    bind = op.get_bind()
    db = current_app.extensions["migrate"].db
    {body}


def downgrade():
    op.execute("DELETE FROM thing WHERE id > 1")
'''
THIRD = FIRST.replace('"aa11"', '"cc33"').replace("= None", '= "bb22"').replace("thing", "third")
ENDS = {
    "python": "bind.commit()",
    "sql": 'op.execute("commit ;")',
}
MODES = ("per-revision", "all")


def is_locked(url: sa.URL) -> bool:
    """Tell whether another run would have to wait."""
    from flask_sakyum_migrate import LockTimeoutError
    from flask_sakyum_migrate.upgrading.lock import Lock

    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection, Lock(0).hold(connection, "alembic_version", None):
            return False
    except LockTimeoutError:
        return True
    finally:
        engine.dispose()


@pytest.fixture
def project(make_project: ProjectMaker, bind_url: str) -> Project:
    made = make_project(bind_url)
    made.write("aa11.py", FIRST)
    return made


def write(project: Project, *lines: str) -> None:
    project.write("bb22.py", SECOND.format(body="\n    ".join(lines)))


def ids(project: Project) -> list[int]:
    with project.engine().connect() as connection:
        return list(connection.exec_driver_sql("SELECT id FROM thing ORDER BY id").scalars())


def version(project: Project) -> Any:
    with project.engine().connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def insert(number: int) -> str:
    return f'op.execute("INSERT INTO thing VALUES ({number})")'


# ---- commits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_commit_by_hand_goes_on_in_a_new_transaction(
    project: Project, end: str, mode: str
) -> None:
    """Under Alembic alone what comes after it is lost, with the version row, and nobody says so."""
    write(project, insert(2), end, "assert is_locked(bind.engine.url)", insert(3), end, insert(4))
    project.write("cc33.py", THIRD)
    for _ in range(2):
        result = project.flask("upgrade", "--transaction", mode)
        assert result.exit_code == 0, result.stderr
        assert "is now at cc33" in result.stderr
        assert (ids(project), version(project)) == ([1, 2, 3, 4], "cc33")
        assert "third" in project.tables()
        assert project.flask("downgrade", "aa11").exit_code == 0
        assert (ids(project), version(project)) == ([1], "aa11")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_failure_after_a_commit_by_hand_says_what_stays(
    project: Project, end: str, mode: str
) -> None:
    write(project, insert(2), end, insert(3), 'op.execute("SELECT nothing FROM nowhere")')
    result = project.flask("upgrade", "--transaction", mode)
    assert result.exit_code == 1
    assert (
        "Mend the revision from statement 3 on and run  flask db upgrade  again." in result.stderr
    )
    assert (ids(project), version(project)) == ([1, 2], "aa11")
    assert not is_locked(project.engine().url)


def test_a_transaction_of_env_py_that_a_revision_commits(project: Project) -> None:
    begun = CUSTOM_ENV.replace("db.engine.connect()", "db.engine.begin()")
    (project.path / "migrations" / "env.py").write_text(begun)
    write(project, insert(2), "bind.commit()", insert(3))
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert "Can't operate on closed transaction" in result.stderr
    assert ids(project) == [1, 2]
    assert not is_locked(project.engine().url)


@pytest.mark.parametrize("end", ["bind.rollback()", 'op.execute("ROLLBACK")'])
def test_a_rollback_by_hand_is_refused(project: Project, end: str) -> None:
    """What it undoes may be the version row of the revision before."""
    project.flask("upgrade")
    write(project, insert(2), end, insert(3))
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert "upgrade of bb22 (own way) rolls back the transaction of the run" in result.stderr
    assert "Take the rollback out of it." in result.stderr
    assert (ids(project), version(project)) == ([1], "aa11")
    write(project, "with bind.begin_nested() as inner:", "    inner.rollback()", insert(3))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert (ids(project), version(project)) == ([1, 3], "bb22")


def test_the_names_of_alembic_that_are_used(project: Project) -> None:
    with project.engine().connect() as connection:
        context = MigrationContext.configure(connection)
        with context.begin_transaction(_per_migration=True):
            assert context._transaction is connection.get_transaction()


# ---- connections -----------------------------------------------------------------------------

OWN = {
    "engine": ("with db.engine.begin() as own:", "    own.execute(sa.text({statement!r}))"),
    "session": ("db.session.execute(sa.text({statement!r}))", "db.session.commit()"),
}


@pytest.mark.parametrize("way", OWN)
def test_a_connection_of_its_own_that_waits_for_the_run(
    project: Project, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ever on PostgreSQL, for 50 s on MariaDB; SQLite does not show it the new table."""
    monkeypatch.setattr(own_ways, "_PATIENCE", 1)
    update = "UPDATE thing SET id = id + 10"
    lines = [one.format(statement=update) for one in OWN[way]]
    write(project, "print('once')", f"op.execute({update!r})", *lines)
    result = project.flask("upgrade")
    assert result.exit_code == 1
    assert result.stdout == "once\n"
    assert f"  {update}" in result.stderr
    assert "It opened a connection of its own in line 17, which does not see" in result.stderr
    assert "Use the one of the run:  op.get_bind()" in result.stderr
    assert not is_locked(project.engine().url)
    with project.app.app_context():
        project.db.session.rollback()
    write(project, f"bind.execute(sa.text({update!r}))")
    assert project.flask("upgrade").exit_code == 0
    assert (ids(project), version(project)) == ([11], "bb22")


def test_a_connection_of_its_own_that_waits_for_nobody(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_ways, "_PATIENCE", 1)
    project.flask("upgrade")
    statement = "SELECT count(*) FROM thing"
    lines = [one.format(statement=statement) for one in OWN["engine"]]
    write(project, *lines, insert(2))
    result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert ids(project) == [1, 2]
    if project.engine().dialect.name == "mysql":
        with project.engine().connect() as connection:
            for name in ("lock_wait_timeout", "innodb_lock_wait_timeout"):
                own = connection.exec_driver_sql(f"SELECT @@SESSION.{name}").scalar()
                assert own == connection.exec_driver_sql(f"SELECT @@GLOBAL.{name}").scalar()


def test_another_error_is_not_blamed_on_the_connection(project: Project) -> None:
    lines = [one.format(statement="SELECT 1") for one in OWN["engine"]]
    write(project, *lines, 'op.execute("SELECT nothing FROM nowhere")')
    with pytest.raises(StepError) as caught:
        project.repository.upgrade()
    assert "connection of its own" not in str(caught.value)


# ---- tried again, or not ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        ("with op.get_context().autocommit_block():", f"    {insert(2)}"),
        (insert(2), "bind.commit()"),
    ],
    ids=["autocommit_block", "commit"],
)
def test_what_has_committed_is_not_tried_again(
    make_project: ProjectMaker,
    make_database: DatabaseMaker,
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
) -> None:
    """Its first half would run twice. So it waits for all of the lock timeout at once."""
    monkeypatch.setattr(postgresql, "own_backends", frozenset)
    project = make_project(make_database("postgresql"))
    create = 'op.create_table("busy", sa.Column("id", sa.Integer))'
    insertion = 'op.execute("INSERT INTO thing VALUES (1)")'
    project.write("aa11.py", FIRST.replace(insertion, f"{insertion}\n    {create}"))
    project.flask("upgrade")
    alter = 'op.add_column("busy", sa.Column("c", sa.Integer))'
    write(project, *before, "print('once')", alter)
    with holding(project.engine(), 20), monkeypatch.context() as shorter:
        shorter.setattr(postgresql, "LOCK_TIMEOUT", 1.0)
        result = project.flask("upgrade")
    assert result.exit_code == 1
    assert result.stdout == "once\n"
    assert "In the way: backend pid " in result.stderr
    assert "is committed; what came after was rolled back. Run it again" in result.stderr
    assert ids(project) == [1, 2]
    with project.engine().begin() as connection:
        connection.exec_driver_sql("DELETE FROM thing WHERE id = 2")
    with holding(project.engine(), 1.5):
        result = project.flask("upgrade")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "once\n"


# ---- env.py ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["pg_advisory_xact_lock", "pg_advisory_lock"])
def test_an_env_py_with_a_lock_of_its_own(
    tmp_path: Path, make_database: DatabaseMaker, lock: str
) -> None:
    begun, take = "db.engine.begin()", f'connection.exec_driver_sql("SELECT {lock}(42)")'
    if lock == "pg_advisory_lock":
        begun, take = "db.engine.connect()", f"{take}; connection.commit()"
    env = CUSTOM_ENV.replace("db.engine.connect()", begun)
    env = env.replace("    context.configure", f"    {take}\n    context.configure")
    race = Race(tmp_path, make_database("postgresql"))
    (race.path / "migrations" / "env.py").write_text(env)
    running = [race.flask("upgrade") for _ in range(3)]
    assert [race.finish(one) for one in running] == [(0, "")] * 3
    assert race.ask("SELECT n FROM counter") == STEPS


# ---- what ends a transaction -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["COMMIT", " commit;\n", "COMMIT WORK", "commit transaction ;", "END", "end;"]
)
def test_a_statement_that_commits(text: str) -> None:
    assert own_ways._COMMIT.fullmatch(text)
    if text.strip()[0] in "cC":  # a trigger ends with END as well
        assert own_ways._COMMIT.fullmatch(f"BEGIN;\nUPDATE thing SET id = 2;\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TRIGGER t AFTER INSERT ON thing BEGIN UPDATE thing SET id = 1; END",
        "COMMENT ON TABLE thing IS 'commit'",
        "INSERT INTO thing VALUES ('COMMIT')",
        "RELEASE SAVEPOINT one",
        "ROLLBACK TO SAVEPOINT one",
        "COMMIT PREPARED 'one'",
    ],
)
def test_a_statement_that_ends_no_transaction(text: str) -> None:
    assert not own_ways._COMMIT.fullmatch(text)
    assert not own_ways._ROLLBACK.fullmatch(text)
