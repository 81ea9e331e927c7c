"""What goes with the tables when they are dropped, and what stays because others made it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.errors import DataError
from tests.cli.conftest import add_revision
from tests.conftest import DatabaseMaker, Project, ProjectMaker

TABLE = """op.create_table("car", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("wheels", sa.Integer))"""
VIEWS = """op.execute("CREATE VIEW many_wheels AS SELECT id FROM car WHERE wheels > 4")
    op.execute("CREATE VIEW many_more AS SELECT id FROM many_wheels")"""


@pytest.fixture
def cars(make_project: ProjectMaker, bind_url: str) -> Project:
    """A table at revision aa11, and at bb22 two views of it."""
    project = make_project(bind_url, models=lambda db: None)
    add_revision(project, "aa11", up=TABLE)
    add_revision(project, "bb22", "aa11", up=VIEWS)
    project.repository.upgrade()
    return project


def execute(project: Project, *statements: str) -> None:
    with project.engine().begin() as connection:
        for one in statements:
            connection.exec_driver_sql(one)


def views(project: Project) -> set[str]:
    return set(sa.inspect(project.engine()).get_view_names())


def begins_again(project: Project) -> None:
    """Drop everything of the application, and upgrade from nothing."""
    project.repository.clean(drop=True)
    assert project.tables() == set()
    project.repository.upgrade()


def test_views_of_a_revision_go_with_their_tables(cars: Project) -> None:
    execute(cars, "CREATE VIEW of_nothing AS SELECT 1 AS one")
    cars.repository.clean(drop=True)
    assert views(cars) == {"of_nothing"} and cars.tables() == set()
    cars.repository.upgrade()
    assert views(cars) == {"of_nothing", "many_wheels", "many_more"}


@pytest.mark.parametrize("shows", ["car", "many_more"])
def test_a_view_of_others_keeps_the_tables(cars: Project, shows: str) -> None:
    execute(cars, f"CREATE VIEW theirs AS SELECT id FROM {shows}")
    with pytest.raises(DataError, match="The view theirs would have nothing to show") as caught:
        cars.repository.clean(drop=True)
    assert "DROP VIEW theirs\n" in str(caught.value)
    assert cars.tables() == {"car", "alembic_version"}
    assert views(cars) == {"many_wheels", "many_more", "theirs"}
    execute(cars, "DROP VIEW theirs")
    begins_again(cars)


def test_for_one_table_no_view_goes(cars: Project) -> None:
    with pytest.raises(DataError, match="views many_more, many_wheels would have nothing to show"):
        cars.repository.clean(drop=True, tables=["car"])
    assert views(cars) == {"many_wheels", "many_more"}


@pytest.fixture
def on_postgresql(make_project: ProjectMaker, make_database: DatabaseMaker) -> Project:
    return make_project(make_database("postgresql"), models=lambda db: None)


def names(project: Project, statement: str) -> list[Any]:
    with project.engine().connect() as connection:
        return list(connection.exec_driver_sql(statement).scalars())


SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S' ORDER BY 1"


def test_sequences_that_no_column_owns(on_postgresql: Project) -> None:
    up = """op.execute("CREATE SEQUENCE bill_number")
    op.execute("CREATE SEQUENCE shared_number")
    op.create_table("bill", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, server_default=sa.text("nextval('bill_number')")),
        sa.Column("other", sa.Integer, server_default=sa.text("nextval('shared_number')")))"""
    add_revision(on_postgresql, "aa11", up=up)
    on_postgresql.repository.upgrade()
    execute(
        on_postgresql,
        "CREATE SEQUENCE theirs",
        "CREATE TABLE their_table (id integer DEFAULT nextval('shared_number'))",
    )
    on_postgresql.repository.clean(drop=True)
    assert names(on_postgresql, SEQUENCES) == ["shared_number", "theirs"]
    execute(on_postgresql, "DROP TABLE their_table", "DROP SEQUENCE shared_number")
    on_postgresql.repository.upgrade()


def test_what_a_model_without_a_revision_has(on_postgresql: Project) -> None:
    sa.Table(
        "bill",
        on_postgresql.db.metadata,
        sa.Column("id", sa.Integer, sa.Sequence("bill_ids"), primary_key=True),
        sa.Column("kind", sa.Enum("a", "b", name="kinds")),
    )
    execute(
        on_postgresql,
        "CREATE SEQUENCE bill_ids",
        "CREATE TYPE kinds AS ENUM ('a', 'b')",
        "CREATE TABLE bill (id integer PRIMARY KEY DEFAULT nextval('bill_ids'), kind kinds[])",
    )
    on_postgresql.repository.clean(drop=True)
    assert names(on_postgresql, SEQUENCES) == []
    assert names(on_postgresql, "SELECT typname FROM pg_type WHERE typtype = 'e'") == []


def test_types_functions_and_materialized_views(on_postgresql: Project) -> None:
    up = """op.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    op.execute("CREATE TYPE unused AS (a integer, b text)")
    op.execute("CREATE TYPE span AS RANGE (subtype = integer)")
    op.create_table("day", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("CREATE FUNCTION cheer(mood) RETURNS mood LANGUAGE sql AS 'SELECT $1'")
    op.execute("CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'")
    op.execute("CREATE TRIGGER stamp BEFORE INSERT ON day FOR EACH ROW EXECUTE FUNCTION stamp()")
    op.execute("CREATE MATERIALIZED VIEW days AS SELECT count(*) AS n FROM day")"""
    add_revision(on_postgresql, "aa11", up=up)
    on_postgresql.repository.upgrade()
    # Its name is a word of the revision, but no revision made it.
    execute(
        on_postgresql,
        "CREATE FUNCTION trigger() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE theirs AS ENUM ('x')",
    )
    begins_again(on_postgresql)
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert set(names(on_postgresql, functions)) >= {"trigger", "cheer", "stamp"}
    on_postgresql.repository.clean(drop=True)
    left = set(names(on_postgresql, functions))
    assert "trigger" in left and not left & {"cheer", "stamp"}
    assert names(on_postgresql, "SELECT typname FROM pg_type WHERE typtype = 'e'") == ["theirs"]


def test_what_else_needs_a_table_is_said_by_the_database(on_postgresql: Project) -> None:
    add_revision(on_postgresql, "aa11", up=TABLE)
    on_postgresql.repository.upgrade()
    execute(
        on_postgresql,
        "CREATE FUNCTION first_car() RETURNS car LANGUAGE sql AS 'SELECT NULL::car'",
    )
    with pytest.raises(DataError, match=r"first_car\(\) depends on type car.*Nothing was dropped"):
        on_postgresql.repository.clean(drop=True)
    assert "car" in on_postgresql.tables()


def test_sequences_of_mariadb(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    project = make_project(make_database("mariadb"), models=lambda db: None)
    up = """op.execute("CREATE SEQUENCE bill_number")
    op.create_table("bill", sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, server_default=sa.text("nextval(bill_number)")))"""
    add_revision(project, "aa11", up=up)
    project.repository.upgrade()
    execute(project, "CREATE SEQUENCE theirs")
    project.repository.clean(drop=True)
    assert names(project, "SHOW FULL TABLES WHERE table_type = 'SEQUENCE'") == ["theirs"]
    project.repository.upgrade()
