"""``--sql``: the same options as online, from where the database is, and it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import HistoryError
from tests.conftest import DatabaseMaker, Project, ProjectMaker, define_user_and_log

USER = Path(__file__).parent.parent / "histories" / "user"


@pytest.fixture
def user(make_project: ProjectMaker, bind_url: str) -> Project:
    return make_project(bind_url, directory=USER, version_table="school_version")


def execute(project: Project, text: str) -> None:
    """Run a script as a person would, statement by statement."""
    engine = project.engine()
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for statement in "\n".join(lines).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement.replace("%", "%%"))


def columns(project: Project) -> list[str]:
    return [one["name"] for one in sa.inspect(project.engine()).get_columns("user")]


def test_from_empty_it_makes_the_schema_and_the_version(user: Project) -> None:
    (sql,) = user.repository.sql()
    assert (sql.bind, sql.start, sql.from_database) == ("default", (), True)
    assert "alembic_version" not in sql.text
    execute(user, sql.text)
    assert user.tables() == {"school_version", "user"}
    assert [one.heads for one in user.repository.current()] == [("user2",)]


def test_it_starts_where_the_database_is(user: Project) -> None:
    user.repository.upgrade("user1")
    (sql,) = user.repository.sql()
    assert sql.start == ("user1",) and "CREATE TABLE" not in sql.text
    execute(user, sql.text)
    assert columns(user) == ["id", "name"]
    (down,) = user.repository.sql("downgrade", "-1")
    assert down.start == ("user2",)
    execute(user, down.text)
    assert columns(user) == ["id"]
    assert [one.heads for one in user.repository.current()] == [("user1",)]


def test_a_range_does_not_ask_the_database(user: Project) -> None:
    (sql,) = user.repository.sql("upgrade", "user1:user2")
    assert not sql.from_database
    assert "CREATE TABLE" not in sql.text and "ADD COLUMN name" in sql.text


def test_stamp(user: Project) -> None:
    (sql,) = user.repository.sql("stamp", "user1")
    execute(user, sql.text)
    assert [one.heads for one in user.repository.current()] == [("user1",)]
    (sql,) = user.repository.sql("stamp", "head")
    execute(user, sql.text)
    assert [one.heads for one in user.repository.current()] == [("user2",)]


def test_one_text_for_each_bind(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    project = make_project(
        make_database("sqlite"), binds={"logs": make_database("sqlite")}, models=define_user_and_log
    )
    project.repository.revision("create", autogenerate=True)
    default, logs = project.repository.sql()
    assert (default.bind, logs.bind) == ("default", "logs")
    assert "CREATE TABLE user" in default.text and "CREATE TABLE log" not in default.text
    assert "CREATE TABLE log" in logs.text and "CREATE TABLE user" not in logs.text
    project.repository.upgrade(bind="logs")
    default, logs = project.repository.sql()
    assert default.start == () and logs.start != () and "CREATE" not in logs.text
    out = project.path / "sql"
    result = project.flask("upgrade", "--sql", "-o", str(out))
    assert result.stdout.splitlines() == [str(out / "default.sql"), str(out / "logs.sql")]
    assert "CREATE TABLE user" in (out / "default.sql").read_text()
    result = project.flask("upgrade", "-o", str(project.path / "up.sql"))
    assert (project.path / "up.default.sql").is_file()


def test_an_unreachable_server_starts_from_base(make_project: ProjectMaker) -> None:
    project = make_project("postgresql+psycopg://nobody@127.0.0.1:1/none", directory=USER)
    (sql,) = project.repository.sql()
    assert not sql.from_database and "CREATE TABLE" in sql.text
    (sql,) = project.repository.sql("downgrade", "-1")
    assert sql.start == ("user2",) and "DROP COLUMN name" in sql.text


def test_two_starts_are_refused(user: Project) -> None:
    with pytest.raises(HistoryError, match="one revision at a time"):
        user.repository.sql("stamp", ["user1:user2", "base:user1"])


def test_psycopg2(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    """The main job on the other driver of PostgreSQL."""
    url = make_database("postgresql").replace("+psycopg:", "+psycopg2:")
    project = make_project(url, directory=USER)
    project.repository.upgrade()
    assert project.repository.check().ok
    project.repository.downgrade("base")
    assert project.tables() == {"alembic_version"}
