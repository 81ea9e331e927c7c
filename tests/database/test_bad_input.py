"""Models that are odd, or that a database does not take: they work, or what is wrong is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker
from tests.database.changing import Models, ran, rows, settled, table


def reserved(db: Any) -> None:
    """Words that mean something to SQL, as table, column, index and in a foreign key."""
    table(db, "order", sa.Column("group", sa.Integer, unique=True))
    table(
        db,
        "select",
        sa.Column("references", sa.Integer, sa.ForeignKey("order.id"), index=True),
        sa.Column("key", sa.Integer, sa.ForeignKey("order.group", name="fk_check")),
        sa.Column("default", sa.String(20), server_default="primary"),
        sa.Column("desc", sa.Text),
        sa.UniqueConstraint("default", "key", name="unique"),
    )


def keywords(db: Any) -> None:
    """Words that mean something to Python, and names that are no names to it."""
    options = {"renamed": sa.Column("class", sa.Integer, key="class_")}
    table(
        db,
        "import",
        *options.values(),
        *(sa.Column(name, sa.Integer) for name in ("def", "None", "lambda", "two words", "1st")),
        sa.Column("it's", sa.Integer, index=True),
        sa.Column('say "it"', sa.Integer),
        sa.Column("ünïcode", sa.Integer, unique=True),
        sa.Column("a.b", sa.Integer),
        sa.Column("per%cent", sa.Integer),
        sa.Column("co:lon", sa.Integer),
    )


def named(length: int) -> Models:
    """Everything has a name of so many characters."""

    def name(start: str) -> str:
        return start.ljust(length, "x")

    def models(db: Any) -> None:
        table(db, name("a"), sa.Column(name("c"), sa.Integer))
        table(
            db,
            name("b"),
            sa.Column(name("c"), sa.Integer),
            sa.Column("a_id", sa.Integer, sa.ForeignKey(f"{name('a')}.id", name=name("fk"))),
            sa.UniqueConstraint(name("c"), "a_id", name=name("uq")),
            sa.Index(name("ix"), name("c")),
        )

    return models


def without_names(db: Any) -> None:
    """Long tables and columns whose constraints have no name."""
    long = "a_rather_long_name_of_a_table_that_nobody_would_type"
    table(db, long, sa.Column("a_rather_long_name_of_a_column", sa.Integer, unique=True))
    table(
        db,
        f"{long}_too",
        sa.Column("a_rather_long_name_of_a_column", sa.Integer, sa.ForeignKey(f"{long}.id")),
        sa.Column("another_long_name_of_a_column", sa.Integer, index=True),
    )


def wide(db: Any) -> None:
    table(db, "wide", *(sa.Column(f"c{number}", sa.Integer) for number in range(1000)))


def circle(db: Any) -> None:
    table(db, "team", sa.Column("captain_id", sa.Integer, sa.ForeignKey("player.id")))
    table(
        db,
        "player",
        sa.Column("team_id", sa.Integer, sa.ForeignKey("team.id"), nullable=False),
        sa.Column("mentor_id", sa.Integer, sa.ForeignKey("player.id")),
    )


def texts(db: Any) -> None:
    """Comments and defaults of what means something to SQL, to Python and to drivers."""
    odd = 'it\'s 50% :of "x" `y` \\ {z} %s'
    exam = table(
        db,
        "exam",
        sa.Column("a", sa.Integer, comment=odd),
        sa.Column("b", sa.String(80), server_default=odd),
        sa.Column("c", sa.String(80), server_default=sa.text("'50% \\:of'"), nullable=False),
        sa.Column("d", sa.String(80), comment=":a\n%b", server_default="%s"),
        comment=odd,
    )
    exam.append_constraint(sa.CheckConstraint("b <> '5% :x'", name="ck_odd"))


GOOD: dict[str, Models] = {
    "reserved words": reserved,
    "words of Python": keywords,
    "63 characters": named(63),
    "long names without names": without_names,
    "1,000 columns": wide,
    "a circle": circle,
    "odd texts": texts,
}


def nothing(db: Any) -> None:
    table(db, "other")


@pytest.mark.parametrize("kind", GOOD)
def test_made_and_dropped(make_project: ProjectMaker, bind_url: str, kind: str) -> None:
    """All of it is new, then all of it goes."""
    ran(make_project(bind_url, models=nothing), "migrate")

    def both(db: Any) -> None:
        nothing(db)
        GOOD[kind](db)

    project = make_project(bind_url, models=both)
    ran(project, "upgrade")
    there_and_back(project)
    without = make_project(bind_url, models=nothing)
    there_and_back(without, "--allow-drop")
    ran(without, "downgrade")
    same(project)


def same(project: Project) -> None:
    """The database is what the models are, though there is a newer revision."""
    found = project.repository.check(anywhere=True)
    assert found.ok, found.operations


def there_and_back(project: Project, *args: str) -> None:
    ran(project, "migrate", *args)
    ran(project, "upgrade")
    settled(project)
    ran(project, "downgrade")
    ran(project, "upgrade")
    settled(project)


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "1,000 columns"])
def test_columns_made_and_dropped(make_project: ProjectMaker, bind_url: str, kind: str) -> None:
    """The tables are there, with a row; what is in them is new, then goes."""

    def bare(db: Any) -> None:
        whole = sa.MetaData()
        db_like = type("Db", (), {"Table": lambda self, *args, **kw: sa.Table(*_in(args), **kw)})()

        def _in(args: Any) -> Any:
            return args[0], whole, *args[1:]

        GOOD[kind](db_like)
        for name in whole.tables:
            table(db, name)

    first = make_project(bind_url, models=bare)
    ran(first, "migrate")
    ran(first, "upgrade")
    for name in first.db.metadata.tables:
        with first.engine().begin() as connection:
            connection.execute(sa.insert(sa.table(name, sa.column("id"))).values(id=1))
    project = make_project(bind_url, models=GOOD[kind])
    given = ["--default", "player.team_id=1"] if kind == "a circle" else []
    there_and_back(project, *given)
    without = make_project(bind_url, models=bare)
    there_and_back(without)
    ran(without, "downgrade")
    same(project)


@pytest.mark.parametrize("bind_url", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("length", [64, 65])
def test_a_name_that_is_too_long(make_project: ProjectMaker, bind_url: str, length: int) -> None:
    project = make_project(bind_url, models=named(length))
    result = project.flask("migrate")
    if length == 64 and "mysql" in bind_url:
        assert result.exit_code == 0
        ran(project, "upgrade")
        settled(project)
        return
    assert result.exit_code == 1
    assert "Give it a shorter name in the models." in result.stderr
    assert "Nothing was written." in result.stderr
    assert not list(Path(project.path, "migrations", "versions").glob("*.py"))
    assert project.flask("check").exit_code == 1


@pytest.mark.parametrize("kind", ["table", "column", "index", "unique", "key"])
def test_each_kind_of_name(make_project: ProjectMaker, make_database: Any, kind: str) -> None:
    """PostgreSQL: SQLAlchemy's own words never get through."""
    url = make_database("postgresql")
    long = "n" * 64

    def models(db: Any) -> None:
        nothing(db)
        items: dict[str, Any] = {
            "column": sa.Column(long, sa.Integer),
            "index": sa.Index(long, "a"),
            "unique": sa.UniqueConstraint("a", name=long),
            "key": sa.ForeignKeyConstraint(["a"], ["other.id"], name=long),
        }
        more = [items[kind]] if kind in items else []
        table(db, long if kind == "table" else "exam", sa.Column("a", sa.Integer), *more)

    said = make_project(url, models=models).flask("migrate").stderr
    word = {"unique": "constraint", "key": "constraint"}.get(kind, kind)
    assert said == (
        f"Error: The name of the {word} {long} has 64 bytes, and PostgreSQL keeps 63. Nothing "
        "was written.\nGive it a shorter name in the models.\n"
    )


def test_two_tables_of_one_name(make_project: ProjectMaker, bind_url: str) -> None:
    """One in the default schema, one in another; on SQLite the other is a database beside."""
    if "sqlite" in bind_url:
        pytest.skip("SQLite has databases that are attached, which is another story")
    other = sa.make_url(bind_url).database if "mysql" in bind_url else None
    schema = f"{other}_x" if other else "second"

    def models(db: Any) -> None:
        table(db, "exam", sa.Column("a", sa.Integer, index=True))
        table(
            db,
            "exam",
            sa.Column("b", sa.String(20)),
            sa.Column("exam_id", sa.Integer, sa.ForeignKey("exam.id", name="fk_exam")),
            schema=schema,
        )

    project = make_project(bind_url, models=models)
    if other:
        rows(project, f"CREATE DATABASE {schema}")
    try:
        there_and_back(project)
        rows(project, "INSERT INTO exam (id, a) VALUES (1, 2)")
        rows(project, f"INSERT INTO {schema}.exam (id, b, exam_id) VALUES (1, 'x', 1)")
        assert rows(project, f"SELECT b, exam_id FROM {schema}.exam") == [("x", 1)]
    finally:
        if other:
            rows(project, f"DROP DATABASE {schema}")


# ---- models that do not map ---------------------------------------------------------------------


def without_target(db: Any) -> None:
    class Exam(db.Model):  # type: ignore[misc]
        id = sa.Column(sa.Integer, primary_key=True)
        questions = db.relationship("Question")

    db.kept = Exam  # SQLAlchemy does not hold on to classes


def without_foreign_key(db: Any) -> None:
    class Question(db.Model):  # type: ignore[misc]
        id = sa.Column(sa.Integer, primary_key=True)

    class Exam(db.Model):  # type: ignore[misc]
        id = sa.Column(sa.Integer, primary_key=True)
        questions = db.relationship(Question)

    db.kept = Exam


@pytest.mark.parametrize(
    ("models", "said", "hint"),
    [
        (
            without_target,
            "When initializing mapper Mapper[Exam(exam)], expression 'Question' failed to locate",
            "\nIs the model imported?  Migrate(app, db, models=[...])\n",
        ),
        (
            without_foreign_key,
            "Could not determine join condition between parent/child tables on relationship "
            "Exam.questions",
            "\n",
        ),
    ],
)
def test_models_that_do_not_map(
    make_project: ProjectMaker, url: str, models: Models, said: str, hint: str
) -> None:
    """Their tables may be without what the missing model brings."""
    project = make_project(url, models=models)
    for _ in range(2):  # a mapper that failed says so again, and is named again
        result = project.flask("migrate")
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: The models do not map. {said}")
        assert result.stderr.endswith(hint)
        assert "\nTraceback" not in result.stderr
    assert not list(Path(project.path, "migrations", "versions").glob("*.py"))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "room.id",
            "no model has a table room.\nIs the model imported?  Migrate(app, db, models=[...])\n",
        ),
        ("other.key", "other has no column key.\nMend the ForeignKey in the model.\n"),
    ],
)
def test_a_foreign_key_to_nothing(
    make_project: ProjectMaker, url: str, target: str, said: str
) -> None:
    def models(db: Any) -> None:
        nothing(db)
        table(db, "exam", sa.Column("other_id", sa.Integer, sa.ForeignKey(target)))

    result = make_project(url, models=models).flask("migrate")
    assert result.exit_code == 1
    assert result.stderr == f"Error: exam.other_id refers to {target}, and {said}"
