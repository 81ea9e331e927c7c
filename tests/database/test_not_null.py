"""NOT NULL on tables with rows: the rows get what somebody said, on the way up and down."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.autogenerate.filling import needing
from flask_sakyum_migrate.errors import RefusedError
from flask_sakyum_migrate.results import DefaultQuestion
from flask_sakyum_migrate.wishes import Wishes
from tests.conftest import DatabaseMaker, Project, ProjectMaker
from tests.database.changing import Models, Story, ran, rows

ROWS = 100


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Cents(sa.types.TypeDecorator[Decimal]):
    """A type of the application."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else Decimal(value) / 100


def user(*columns: Callable[[], sa.Column[Any]]) -> Models:
    """A user with a name, some more columns, and a team."""

    def models(db: Any) -> None:
        db.Table("team", sa.Column("id", sa.Integer, primary_key=True))
        db.Table(
            "user",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(50)),
            *(column() for column in columns),
        )

    return models


def column(name: str, type_: Any, *more: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    return lambda: sa.Column(name, type_, *more, **options)


Stages = Callable[..., Project]


@pytest.fixture
def stage(make_project: ProjectMaker, bind_url: str) -> Stages:
    """Give the project with these columns of a user; the first time it is brought to head."""
    started: list[Project] = []

    def stage(*columns: Callable[[], sa.Column[Any]], **rows: Any) -> Project:
        project = make_project(bind_url, models=user(*columns))
        if not started:
            started.append(project)
            run(project, "migrate", "upgrade")
            insert(project, **rows)
        return project

    return stage


def insert(project: Project, **values: Any) -> None:
    tables = project.db.metadata.tables
    with project.engine().begin() as connection:
        connection.execute(sa.insert(tables["team"]), [{"id": 7}])
        rows = [{"name": f"User {number}", **values} for number in range(ROWS)]
        connection.execute(sa.insert(tables["user"]), rows)


def run(project: Project, *verbs: str) -> None:
    for verb in verbs:
        result = project.flask(verb)
        assert result.exit_code == 0, result.stderr


def values_of(project: Project, name: str) -> set[Any]:
    """Return what the rows have, all of them."""
    table = project.db.metadata.tables["user"]
    with project.engine().connect() as connection:
        rows = connection.execute(sa.select(table.c[name])).scalars().all()
    assert len(rows) == ROWS
    return set(rows)


def stored(project: Project, name: str) -> Mapping[str, Any]:
    found = {one["name"]: one for one in sa.inspect(project.engine()).get_columns("user")}
    return found[name]


def text_of(result: Any) -> str:
    assert result.exit_code == 0, result.stderr
    return Path(result.stdout.strip()).read_text()


SCALARS: dict[str, tuple[Any, Any]] = {
    "integer": (sa.Integer(), 3),
    "boolean": (sa.Boolean(), True),
    "string": (sa.String(20), "it's 5% :x \\ ok"),
    "text": (sa.Text(), "it's 5% :x \\ ok"),
    "numeric": (sa.Numeric(10, 2), Decimal("1.50")),
    "float": (sa.Double(), 1.5),
    "date": (sa.Date(), datetime.date(2026, 1, 31)),
    "datetime": (sa.DateTime(), datetime.datetime(2026, 1, 31, 12, 30)),
    "enum": (sa.Enum(Level, native_enum=False), Level.HIGH),
    "json": (sa.JSON(), {"a": [1, None]}),
    "a type of the application": (Cents(), Decimal("1.25")),
}


@pytest.mark.parametrize("kind", SCALARS)
def test_a_new_column_with_a_default(stage: Stages, kind: str) -> None:
    type_, value = SCALARS[kind]
    stage()
    project = stage(column("it", type_, nullable=False, default=value))
    run(project, "migrate", "upgrade", "check")
    assert values(project) == [value] * ROWS
    assert stored(project, "it")["nullable"] is False
    assert stored(project, "it")["default"] is None
    run(project, "downgrade", "upgrade")
    assert values(project) == [value] * ROWS


def values(project: Project) -> list[Any]:
    table = project.db.metadata.tables["user"]
    with project.engine().connect() as connection:
        return list(connection.execute(sa.select(table.c["it"])).scalars())


@pytest.mark.parametrize("kind", SCALARS)
def test_a_column_that_was_nullable(stage: Stages, kind: str) -> None:
    type_, value = SCALARS[kind]
    stage(column("it", type_))
    with stage(column("it", type_)).engine().begin() as connection:
        table = sa.table("user", sa.column("it", type_), sa.column("id"))
        connection.execute(sa.update(table).where(table.c.id <= ROWS // 2).values(it=value))
    project = stage(column("it", type_, nullable=False, default=value))
    run(project, "migrate", "upgrade", "check")
    assert values(project) == [value] * ROWS
    assert stored(project, "it")["nullable"] is False
    run(project, "downgrade")
    assert stored(project, "it")["nullable"] is True
    run(project, "upgrade")


def labels(*names: str) -> Callable[[], sa.Enum]:
    """An enum for each test: one with a name holds on to the models it was in."""
    return lambda: sa.Enum(*names, name="it")


RETYPED: dict[str, tuple[Any, Any, Any, Any]] = {
    "longer": (sa.String(20), "a", sa.String(50), "b"),
    "text to integer": (sa.String(20), "1", sa.Integer(), 2),
    "integer to text": (sa.Integer(), 1, sa.String(20), "2"),
    "integer to numeric": (sa.Integer(), 1, sa.Numeric(10, 2), Decimal("2.50")),
    "text to json": (sa.Text(), '"a"', sa.JSON(), {"b": 2}),
    "labels": (labels("a", "b"), "a", labels("a", "b", "c"), "b"),
    "text to enum": (sa.String(20), "a", labels("a", "c"), "c"),
}


@pytest.mark.parametrize("kind", RETYPED)
def test_nullable_and_another_type_before(stage: Stages, kind: str) -> None:
    before, value, after, default = RETYPED[kind]
    type_, wanted = (one() if callable(one) else one for one in (before, after))
    stage(column("it", type_), it=value)
    with stage(column("it", type_)).engine().begin() as connection:
        table = sa.table("user", sa.column("it", type_), sa.column("id"))
        connection.execute(sa.update(table).where(table.c.id <= ROWS // 2).values(it=sa.null()))
    project = stage(column("it", wanted, nullable=False, default=default))
    run(project, "migrate", "upgrade", "check")
    assert values(project).count(default) == ROWS // 2
    assert stored(project, "it")["nullable"] is False
    run(project, "downgrade")
    assert stored(project, "it")["nullable"] is True
    run(project, "upgrade", "check")


def test_a_server_default_stays_one_step(stage: Stages) -> None:
    stage()
    project = stage(column("age", sa.Integer, nullable=False, server_default="4"))
    text = text_of(project.flask("migrate"))
    assert text.count("batch_alter_table") == 2  # there and back
    run(project, "upgrade", "check")
    assert values_of(project, "age") == {4}
    assert stored(project, "age")["default"] is not None


def test_the_server_default_fills_what_was_null(stage: Stages) -> None:
    options = {"server_default": "4"}
    stage(column("age", sa.Integer, **options), age=None)
    project = stage(column("age", sa.Integer, nullable=False, **options))
    run(project, "migrate", "upgrade", "check")
    assert values_of(project, "age") == {4}


def test_an_expression_as_default(stage: Stages) -> None:
    stage()
    project = stage(column("made", sa.DateTime, nullable=False, default=sa.func.now()))
    run(project, "migrate", "upgrade", "check", "downgrade", "upgrade")
    (made,) = values_of(project, "made")
    assert isinstance(made, datetime.datetime)


# ---- nobody said it -----------------------------------------------------------------------------


def test_without_an_answer_it_stops(stage: Stages) -> None:
    stage()
    project = stage(
        column("age", sa.Integer, nullable=False),
        column("nick name", sa.String(20), nullable=False, default=lambda: "x"),
        column("code", sa.String(20), nullable=False, unique=True, default="x"),
        column("team_id", sa.Integer, sa.ForeignKey("team.id"), nullable=False),
    )
    assert project.flask("migrate").stderr == (
        "Error: user.age is new and NOT NULL and has no default; user.nick name is new and NOT "
        "NULL and has a default that only Python can compute; user.code is new and NOT NULL and "
        "has a default that all rows cannot have, as it is unique; user.team_id is new and NOT "
        "NULL and has no default: nobody said what the rows get that have no value. Nothing was "
        "written.\n"
        "Tell flask db migrate what they get, or leave the column NULL for now:\n"
        "  --default user.age=0   or   --default user.age=NULL\n"
        "  --default 'user.nick name='''   or   --default 'user.nick name=NULL'\n"
        "  --default user.code=NULL\n"
        "  --default user.team_id=NULL\n"
    )
    assert len(list((project.path / "migrations" / "versions").glob("*.py"))) == 1
    with pytest.raises(RefusedError) as caught:
        project.repository.revision(autogenerate=True)
    assert caught.value.columns == ("user.age", "user.nick name", "user.code", "user.team_id")


def test_the_options_that_are_printed(stage: Stages) -> None:
    stage()
    project = stage(
        column("age", sa.Integer, nullable=False),
        column("nick", sa.String(20), nullable=False),
        column("bio", sa.Text, nullable=False),
        column("on", sa.Boolean, nullable=False),
        column("team_id", sa.Integer, sa.ForeignKey("team.id"), nullable=False),
    )
    options = ["user.age=12", "user.nick=''", "user.bio=", "user.on=yes", "user.team_id=sql: 6 + 1"]
    result = project.flask("migrate", *(part for one in options for part in ("--default", one)))
    assert "~ rows of user: age is 12\n" in result.stderr
    assert result.exit_code == 0, result.stderr
    run(project, "upgrade", "check", "downgrade", "upgrade")
    assert values_of(project, "age") == {12}
    assert values_of(project, "nick") == {""}
    assert values_of(project, "bio") == {""}
    assert values_of(project, "on") == {True}
    assert values_of(project, "team_id") == {7}


def test_an_expression_of_other_columns(stage: Stages) -> None:
    stage()
    project = stage(column("nick", sa.String(50), nullable=False, unique=True))
    wishes = Wishes(defaults={"user.nick": "sql:concat(name, ':nick')"})
    if project.engine().dialect.name == "sqlite":
        wishes = Wishes(defaults={"user.nick": "sql:name || ':nick'"})
    assert project.repository.revision(autogenerate=True, wishes=wishes) is not None
    run(project, "upgrade", "check", "downgrade", "upgrade")
    assert values_of(project, "nick") == {f"User {number}:nick" for number in range(ROWS)}


def test_nullable_for_now(stage: Stages) -> None:
    stage()
    project = stage(column("age", sa.Integer, nullable=False))
    result = project.flask("migrate", "--default", "user.age=NULL")
    assert "user.age may be NULL for now. The next flask db migrate asks again.\n" in result.stderr
    assert "still differs" not in result.stderr
    run(project, "upgrade")
    assert stored(project, "age")["nullable"] is True
    assert values_of(project, "age") == {None}
    again = project.flask("migrate")
    assert "user.age is now NOT NULL and has no default" in again.stderr
    assert (
        "  --default user.age=0   or   --default user.age=NULL   or   --default user.age=NOTHING\n"
        in (again.stderr)
    )
    assert project.flask("migrate", "--default", "user.age=0").exit_code == 0
    run(project, "upgrade", "check", "downgrade", "upgrade")
    assert values_of(project, "age") == {0}


def test_no_row_is_null(stage: Stages) -> None:
    stage(column("age", sa.Integer), age=5)
    project = stage(column("age", sa.Integer, nullable=False))
    result = project.flask("migrate", "--default", "user.age=NOTHING")
    assert "rows.update" not in text_of(result).partition("def downgrade")[0]
    run(project, "upgrade", "check", "downgrade", "upgrade")
    assert values_of(project, "age") == {5}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("user.age=old", "it is a whole number"),
        ("user.age=NOTHING", "the column is new, so no row has a value"),
        ("user.nick=much too long", "it has at most 5 characters"),
        ("user.day=tomorrow", "it is like 2026-01-31"),
        ("user.level=MIDDLE", "it is one of LOW, HIGH"),
        ("user.code=x", "it is unique, so rows cannot all have the same; sql:... may differ"),
        ("user.agee=1", "user.agee is no column that becomes NOT NULL"),
        ("user.name=x", "user.name is no column that becomes NOT NULL"),
    ],
)
def test_an_answer_that_makes_no_sense(
    make_project: ProjectMaker, url: str, given: str, reason: str
) -> None:
    run(make_project(url, models=user()), "migrate", "upgrade")
    project = make_project(
        url,
        models=user(
            column("age", sa.Integer, nullable=False),
            column("nick", sa.String(5), nullable=False),
            column("day", sa.Date, nullable=False),
            column("level", sa.Enum(Level), nullable=False),
            column("code", sa.String(20), nullable=False, unique=True),
        ),
    )
    result = project.flask("migrate", "--default", given)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: --default {given}: {reason}. Nothing was written.\n")


def test_a_question_is_asked(stage: Stages) -> None:
    stage()
    project = stage(column("age", sa.Integer, nullable=False), column("n", sa.Date, nullable=False))
    asked: list[DefaultQuestion] = []

    def answer(question: DefaultQuestion) -> str | None:
        asked.append(question)
        if question.column == "user.n":
            return "2026-01-31"
        return "9" if question.problem else "nine"

    assert project.repository.revision(autogenerate=True, ask=answer) is not None
    assert [(one.column, one.is_new, one.reason, one.problem) for one in asked] == [
        ("user.age", True, "no default", ""),
        ("user.age", True, "no default", "it is a whole number"),
        ("user.n", True, "no default", ""),
    ]
    run(project, "upgrade", "check")
    assert values_of(project, "age") == {9}


def test_no_answer_stops(stage: Stages) -> None:
    stage()
    project = stage(column("age", sa.Integer, nullable=False))
    with pytest.raises(RefusedError, match=r"user\.age is new and NOT NULL"):
        project.repository.revision(autogenerate=True, ask=lambda question: None)
    with pytest.raises(RefusedError, match=r"user\.age is new and NOT NULL"):
        project.repository.revision(autogenerate=True, ask=lambda question: "nonsense")


# ---- the way back -------------------------------------------------------------------------------

GONE: dict[str, tuple[Callable[[], sa.Column[Any]], dict[str, Any]]] = {
    "integer": (column("it", sa.Integer, nullable=False), {"it": 5}),
    "string": (column("it", sa.String(20), nullable=False), {"it": "x"}),
    "text": (column("it", sa.Text, nullable=False), {"it": "x"}),
    "boolean": (column("it", sa.Boolean, nullable=False), {"it": True}),
    "datetime": (
        column("it", sa.DateTime, nullable=False),
        {"it": datetime.datetime(2026, 1, 31)},
    ),
    "json": (column("it", sa.JSON, nullable=False), {"it": [1]}),
    "enum": (
        lambda: sa.Column("it", sa.Enum("a", "b", name="it"), nullable=False),
        {"it": "b"},
    ),
    "enum that is a text": (
        lambda: sa.Column("it", sa.Enum("a", "b", native_enum=False, length=9), nullable=False),
        {"it": "b"},
    ),
    "enum with a check": (
        lambda: sa.Column(
            "it",
            sa.Enum("a, b", "(c)", native_enum=False, create_constraint=True, name="it"),
            nullable=False,
        ),
        {"it": "(c)"},
    ),
    "binary": (column("it", sa.LargeBinary, nullable=False), {"it": b"x"}),
    "uuid": (column("it", sa.Uuid, nullable=False), {"it": uuid.UUID(int=5)}),
    "uuid that is a text": (
        column("it", sa.Uuid(native_uuid=False), nullable=False),
        {"it": uuid.UUID(int=5)},
    ),
    "interval": (
        column("it", sa.Interval, nullable=False),
        {"it": datetime.timedelta(1)},
    ),
    "foreign key": (
        lambda: sa.Column("it", sa.Integer, sa.ForeignKey("team.id", name="fk_it"), nullable=False),
        {"it": 7},
    ),
    "foreign key to itself": (
        lambda: sa.Column("it", sa.Integer, sa.ForeignKey("user.id", name="fk_it"), nullable=True),
        {"it": None},
    ),
}


@pytest.mark.parametrize("kind", GONE)
def test_a_dropped_column_comes_back_not_null(stage: Stages, kind: str) -> None:
    made, row = GONE[kind]
    before = stage(made, **row)
    schema = stored(before, "it")
    project = stage()
    result = project.flask("migrate")
    assert f"! lost: user.it {ROWS} rows\n" in result.stderr or row["it"] is None
    run(project, "upgrade", "check", "downgrade")
    assert stored(before, "it")["nullable"] == schema["nullable"]
    assert before.repository.check(anywhere=True).ok
    assert len(values(before)) == ROWS  # the application can read them
    run(project, "upgrade", "check")


@pytest.mark.parametrize("type_", [sa.Integer(), sa.String(20)])
def test_a_unique_column_comes_back(make_project: ProjectMaker, bind_url: str, type_: Any) -> None:
    before = make_project(bind_url, models=user(column("it", type_, nullable=False, unique=True)))
    run(before, "migrate", "upgrade")
    kind = int if isinstance(type_, sa.Integer) else str
    with before.engine().begin() as connection:
        rows = [{"id": number + 1, "it": kind(number)} for number in range(ROWS)]
        connection.execute(sa.insert(before.db.metadata.tables["user"]), rows)
    project = make_project(bind_url, models=user())
    run(project, "migrate", "upgrade", "downgrade")
    assert before.repository.check(anywhere=True).ok
    assert len(set(values(before))) == ROWS
    run(project, "upgrade")


def test_not_null_comes_back_where_rows_became_null(stage: Stages) -> None:
    stage(column("it", sa.Integer, nullable=False), it=5)
    project = stage(column("it", sa.Integer))
    run(project, "migrate", "upgrade", "check")
    with project.engine().begin() as connection:
        connection.execute(sa.update(sa.table("user", sa.column("it"))).values(it=None))
    run(project, "downgrade")
    assert stored(project, "it")["nullable"] is False
    assert values_of(project, "it") == {0}


# ---- big tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_big_table_is_filled_in_pieces(
    make_project: ProjectMaker,
    make_database: DatabaseMaker,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    url = make_database(kind)
    first = make_project(url, models=user(column("age", sa.Integer)))
    run(first, "migrate", "upgrade")
    insert(first)
    monkeypatch.setattr(needing, "_BIG", 99)
    monkeypatch.setattr("flask_sakyum_migrate.autogenerate.filling.operations.PIECE", 30)
    project = make_project(url, models=user(column("age", sa.Integer, nullable=False, default=3)))
    text = text_of(project.flask("migrate"))
    assert "autocommit_block" in text
    updates: list[Any] = []
    sa.event.listen(
        project.engine(),
        "after_cursor_execute",
        lambda connection, cursor, statement, *_: (
            updates.append(cursor.rowcount)
            if statement.startswith("UPDATE") and "age" in statement
            else None
        ),
    )
    run(project, "upgrade", "check")
    assert updates == [30, 30, 30, 10]
    assert values_of(project, "age") == {3}
    (sql,) = project.repository.sql("upgrade", "base:head")
    assert sql.text.count("SET age=3") == 1


def test_a_key_of_two_columns_comes_back(make_project: ProjectMaker, bind_url: str) -> None:
    def models(with_key: bool) -> Models:
        def models(db: Any) -> None:
            names = ("a", "b")
            keys: list[Any] = [sa.Column(name, sa.Integer, primary_key=True) for name in names]
            db.Table("hall", *keys)
            more: list[Any] = [sa.Column(name, sa.Integer, nullable=False) for name in names]
            more.append(sa.ForeignKeyConstraint(names, ["hall.a", "hall.b"], name="fk_seat"))
            db.Table("seat", sa.Column("id", sa.Integer, primary_key=True), *more * with_key)

        return models

    story = Story(make_project, bind_url)
    project = story.upgraded(models(True))
    rows(project, "INSERT INTO hall (a, b) VALUES (1, 9), (2, 5)")
    rows(project, "INSERT INTO seat (id, a, b) VALUES (1, 2, 5), (2, 1, 9)")
    project = story.with_models(models(False))
    ran(project, "migrate", "--drop", "seat.a", "--drop", "seat.b")
    run(project, "upgrade", "downgrade")
    assert rows(project, "SELECT a, b FROM seat") == [(1, 9), (1, 9)]
