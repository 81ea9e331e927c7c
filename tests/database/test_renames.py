"""Tables and columns that were renamed keep their rows, on the way up and on the way down."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from flask_sakyum_migrate.autogenerate.differences.names import Names
from flask_sakyum_migrate.autogenerate.renaming.inspecting import renamed_inspector
from flask_sakyum_migrate.errors import RefusedError
from flask_sakyum_migrate.results import RenameQuestion
from flask_sakyum_migrate.wishes import Wishes
from tests.conftest import DatabaseMaker, Project, ProjectMaker

ROWS = 100

Models = Callable[[Any], None]


def models(
    user: str = "user",
    name: str = "name",
    owner: str = "user_id",
    post: str = "post",
    type_: Any = None,
    hint: str | None = None,
    table_hint: str | None = None,
    indexed: bool = True,
    nullable: bool = True,
    unique: bool = False,
    key: str = "id",
    **owner_options: Any,
) -> Models:
    """A user with an index on the name, and posts with a foreign key to it."""

    def define(db: Any) -> None:
        db.Table(
            user,
            sa.Column(key, sa.Integer, primary_key=True),
            sa.Column(
                name,
                type_ or sa.String(50),
                index=indexed,
                nullable=nullable,
                info={"renamed_from": hint} if hint else {},
            ),
            sa.Column("age", sa.Integer),
            *([sa.UniqueConstraint(name)] if unique else []),
            info={"renamed_from": table_hint} if table_hint else {},
        )
        db.Table(
            post,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("text", sa.String(200)),
            sa.Column(owner, sa.ForeignKey(f"{user}.{key}"), **owner_options),
        )

    return define


CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def named(define: Models) -> Models:
    """The same models with a naming convention."""

    def with_convention(db: Any) -> None:
        db.metadata.naming_convention = CONVENTION
        define(db)

    return with_convention


class Change:
    """A project at head with rows, whose models change."""

    def __init__(self, make: ProjectMaker, url: str, before: Models, **options: Any) -> None:
        self._make = make
        self._url = url
        self._options = options
        self.old = make(url, models=before, **options)
        assert self.old.repository.revision("create", autogenerate=True) is not None
        self.old.repository.upgrade()
        self.new = self.old
        metadata = self.old.db.metadata
        with self.old.engine().begin() as connection:
            for table in metadata.sorted_tables:
                rows = [row_of(table, number) for number in range(1, ROWS + 1)]
                connection.execute(sa.insert(table), rows)
        self.rows = self.read(self.old)

    def to(self, after: Models) -> Project:
        """Return the project with other models."""
        directory = self.old.path / "migrations"
        self.new = self._make(
            self._url, models=after, folder="changed", directory=directory, **self._options
        )
        return self.new

    def files(self) -> list[Path]:
        return sorted((self.old.path / "migrations" / "versions").glob("*.py"))

    @staticmethod
    def read(project: Project) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of each table of the models, as they are called there."""
        with project.engine().connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(sa.select(table))]
                for table in project.db.metadata.sorted_tables
            }

    def round_trip(self, renamed: Mapping[str, str]) -> None:
        """Upgrade, downgrade and upgrade again: every row is there, and nothing is left to do."""
        expected = {renamed.get(name, name): rows for name, rows in self.rows.items()}
        for _ in range(2):
            self.new.repository.upgrade()
            assert self.read(self.new) == expected
            assert differences(self.new) == []
            assert self.new.repository.check().ok
            assert self.new.repository.revision(autogenerate=True) is None
            self.new.repository.downgrade()
            assert self.read(self.old) == self.rows
            assert differences(self.old) == []
        self.new.repository.upgrade()
        assert self.read(self.new) == expected


def row_of(table: sa.Table, number: int) -> dict[str, Any]:
    """The values of a row: what each type takes."""
    return {
        column.name: f"{column.name} {number}" if isinstance(column.type, sa.String) else number
        for column in table.c
    }


def differences(project: Project) -> list[Any]:
    """What Alembic by itself finds between the database and the models."""

    def include_name(name: str | None, type_: str, parents: Any) -> bool:
        return not (type_ == "table" and name == "alembic_version_runs")

    opts = {
        "include_name": include_name,
        "include_schemas": any(table.schema for table in project.db.metadata.sorted_tables),
        "compare_type": True,
        "compare_server_default": True,
    }
    with project.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts=opts)
        found: list[Any] = compare_metadata(context, project.db.metadata)
        return found


COLUMN = Wishes(renames={"user.name": "full_name"})

CASES: dict[str, tuple[Models, Wishes, dict[str, str]]] = {
    "column by hint": (models(name="full_name", hint="name"), Wishes(), {}),
    "column by option": (models(name="full_name"), COLUMN, {}),
    "column with a wider type": (models(name="full_name", type_=sa.String(80)), COLUMN, {}),
    "table with foreign keys": (
        models(user="member"),
        Wishes(renames={"user": "member"}),
        {"user": "member"},
    ),
    "table and column at once": (
        models(user="member", name="full_name", table_hint="user"),
        Wishes(renames={"user.name": "full_name"}),
        {"user": "member"},
    ),
    "foreign key column": (
        models(owner="author_id"),
        Wishes(renames={"post.user_id": "post.author_id"}),
        {},
    ),
}
"""The cases, as issues have them: the models after it, what is said, the names of tables."""

MORE: dict[str, tuple[Models, Wishes, dict[str, str]]] = {
    "table by hint": (models(user="member", table_hint="user"), Wishes(), {"user": "member"}),
    "both tables and two columns": (
        models("member", "full_name", "author_id", "article"),
        Wishes(
            renames={
                "user": "member",
                "member.name": "member.full_name",
                "post": "article",
                "post.user_id": "author_id",
            }
        ),
        {"user": "member", "post": "article"},
    ),
    "column that foreign keys point to": (
        models(user="member", key="number"),
        Wishes(renames={"user": "member", "user.id": "number"}),
        {"user": "member"},
    ),
    "column that is not indexed any more": (models(name="full_name", indexed=False), COLUMN, {}),
    "column that is NOT NULL now": (
        models(name="full_name", nullable=False),
        replace(COLUMN, defaults={"user.full_name": "nobody"}),
        {},
    ),
    "foreign key column with an index": (
        models(owner="author_id", index=True),
        Wishes(renames={"post.user_id": "author_id"}),
        {},
    ),
    "named: column that is unique now": (
        named(models(name="full_name", unique=True)),
        COLUMN,
        {},
    ),
    "named: column that is not unique any more": (named(models(name="full_name")), COLUMN, {}),
    "named: both tables and two columns": (
        named(models("member", "full_name", "author_id", "article", unique=True)),
        Wishes(
            renames={
                "user": "member",
                "user.name": "full_name",
                "post": "article",
                "post.user_id": "author_id",
            }
        ),
        {"user": "member", "post": "article"},
    ),
}


@pytest.mark.parametrize("case", [*CASES, *MORE])
def test_rows_are_kept_both_ways(make_project: ProjectMaker, bind_url: str, case: str) -> None:
    after, wishes, tables = (CASES | MORE)[case]
    before = models()
    if case.startswith("named"):
        before = named(models(unique="any more" in case or "both" in case))
    change = Change(make_project, bind_url, before)
    project = change.to(after)
    made = project.repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert not [line for line in made.changes if line.startswith(("- column", "- table", "!"))]
    change.round_trip(tables)


def test_by_hint_nothing_else_is_written(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, models(indexed=False))
    project = change.to(models(name="full_name", hint="name", indexed=False))
    made = project.repository.revision(autogenerate=True)
    assert made is not None
    assert made.changes == ("~ column user.name renamed to full_name",)
    assert made.message == "rename user.name to full_name"
    text = made.path.read_text()
    assert text.count("op.") == 2  # one in each direction, and no batch, so no copy on SQLite
    assert text.count("op.alter_column(") == 2


@pytest.mark.parametrize("verb", ["migrate", "revision --autogenerate"])
def test_without_an_answer_it_stops(make_project: ProjectMaker, bind_url: str, verb: str) -> None:
    change = Change(make_project, bind_url, models())
    project = change.to(models("member", "name", "author_id"))
    result = project.flask(*verb.split())
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: user is gone and member (same columns) is new; post.user_id is gone and "
        "post.author_id (same type) is new. Renamed or dropped? Nothing was written.\n"
        "Tell flask db migrate which it is:\n"
        "  --rename user:member   or   --drop user\n"
        "  --rename post.user_id:author_id   or   --drop post.user_id\n"
    )
    assert len(change.files()) == 1
    told = ["--rename", "user:member", "--rename", "post.user_id:author_id"]
    assert project.flask(*verb.split(), *told).exit_code == 0
    change.round_trip({"user": "member"})


def test_it_can_be_a_drop(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, models())
    project = change.to(models(name="full_name"))
    result = project.flask("migrate", "--drop", "user.name")
    assert result.exit_code == 0
    assert "  - column user.name\n" in result.stderr
    assert f"  ! lost: user.name {ROWS} rows\n" in result.stderr
    project.repository.upgrade()
    assert [row[1:] for row in change.read(project)["user"]] == [
        (None, number) for number in range(1, ROWS + 1)
    ]


def test_a_drop_without_a_counterpart_is_one(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, models())

    def after(db: Any) -> None:
        models()(db)
        user = db.metadata.tables["user"]
        user._columns.remove(user.c.age)
        user.append_column(sa.Column("nick", sa.String(20)))  # no number can have become this

    made = change.to(after).repository.revision(autogenerate=True)
    assert made is not None
    assert "- column user.age" in made.changes


class Asker:
    """Answers from a script, and keeps what was asked."""

    def __init__(self, *yes: str) -> None:
        self.yes = yes
        self.asked: list[RenameQuestion] = []

    def __call__(self, question: RenameQuestion) -> bool:
        self.asked.append(question)
        return f"{question.old}:{question.new}" in self.yes


def two_columns(*names: str) -> Models:
    def define(db: Any) -> None:
        columns = [sa.Column(name, sa.String(50)) for name in names]
        db.Table("user", sa.Column("id", sa.Integer, primary_key=True), *columns)

    return define


def test_a_person_is_asked(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, two_columns("first", "last"))
    project = change.to(two_columns("first_name", "last_name"))
    ask = Asker("user.first:user.first_name", "user.last:user.last_name")
    made = project.repository.revision(autogenerate=True, ask=ask)
    assert made is not None
    # The likeliest first; what is answered leaves less to ask.
    assert ask.asked == [
        RenameQuestion("column", "user.first", "user.first_name", "same type"),
        RenameQuestion("column", "user.last", "user.last_name", "same type"),
    ]
    change.round_trip({})


def test_a_person_may_say_no(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, two_columns("first", "last"))
    project = change.to(two_columns("first", "title"))
    ask = Asker()
    made = project.repository.revision(autogenerate=True, ask=ask)
    assert made is not None
    assert [one.new for one in ask.asked] == ["user.title"]
    assert f"! lost: user.last {ROWS} rows" in made.changes


def test_the_columns_of_a_renamed_table_are_asked_about(
    make_project: ProjectMaker, bind_url: str
) -> None:
    change = Change(make_project, bind_url, models())
    project = change.to(models("member", "full_name"))
    ask = Asker("user:member", "user.name:user.full_name")
    assert project.repository.revision(autogenerate=True, ask=ask) is not None
    assert [(one.old, one.new, one.likeness) for one in ask.asked] == [
        ("user", "member", "2 of 3 columns the same"),
        ("user.name", "user.full_name", "same type"),
    ]
    change.round_trip({"user": "member"})


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_sakyum_migrate.cli.write.is_terminal", lambda: True)


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal(make_project: ProjectMaker, url: str) -> None:
    change = Change(make_project, url, models())
    project = change.to(models(name="full_name"))
    silent = project.flask("migrate", "--no-input")
    assert silent.exit_code == 1
    assert "--rename user.name:full_name   or   --drop user.name" in silent.stderr
    result = project.runner.invoke(args=["db", "migrate"], input="y\n")
    assert result.exit_code == 0
    assert "user.name is gone and user.full_name (same type) is new. Was it renamed? [y/N]: " in (
        result.stderr
    )
    assert "~ column user.name renamed to full_name" in result.stderr
    change.round_trip({})


REFUSED: dict[str, tuple[Models, dict[str, str], str]] = {
    "swap": (
        two_columns("first", "last"),
        {"user.first": "last", "user.last": "first"},
        "user.first and user.last would swap their names",
    ),
    "chain": (
        two_columns("last", "title"),
        {"user.first": "last", "user.last": "title"},
        "user.first would become last, which is title from then on",
    ),
    "kept": (
        two_columns("first", "last", "title"),
        {"user.first": "title"},
        "user.first cannot become title: the models still have user.first. Nothing was written.\n"
        "Gone from user: nothing. New: title.",
    ),
    "not there": (
        two_columns("first", "title"),
        {"user.lats": "title"},
        "user.lats cannot become title: the database has no user.lats. Nothing was written.\n"
        "Gone from user: last. New: title.",
    ),
    "no such new one": (
        two_columns("first", "title"),
        {"user.last": "tilte"},
        "user.last cannot become tilte: the models have no user.tilte",
    ),
    "there already": (
        two_columns("first"),
        {"user.last": "first"},
        "user.last cannot become first: the database has user.first already",
    ),
    "two into one": (
        two_columns("title"),
        {"user.first": "title", "user.last": "title"},
        "user.first and user.last would become the same",
    ),
    "no such table": (
        two_columns("first", "title"),
        {"usr.last": "title"},
        "--rename usr.last:title: neither the database nor the models have usr.last",
    ),
    "no such new table": (
        two_columns("first", "last"),
        {"user": "member"},
        "user cannot become member: the models still have user",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused(make_project: ProjectMaker, url: str, case: str) -> None:
    after, renames, reason = REFUSED[case]
    change = Change(make_project, url, two_columns("first", "last"))
    project = change.to(after)
    with pytest.raises(RefusedError) as caught:
        project.repository.revision(autogenerate=True, wishes=Wishes(renames=renames))
    assert reason in str(caught.value)
    assert len(change.files()) == 1


def hinted(**hints: str | None) -> Models:
    """Columns of a user; each may say its old name."""

    def define(db: Any) -> None:
        columns = [
            sa.Column(name, sa.String(50), info={"renamed_from": old} if old else {})
            for name, old in hints.items()
        ]
        db.Table("user", sa.Column("id", sa.Integer, primary_key=True), *columns)

    return define


@pytest.mark.parametrize(
    ("after", "wishes", "reason"),
    [
        (hinted(first="last", last="first"), Wishes(), "would swap their names"),
        (hinted(last="first", title="last"), Wishes(), "would become last, which is title"),
        (hinted(first=None, last="first"), Wishes(), None),
        (hinted(last="first"), Wishes(), "the database has both"),
        (hinted(last="first"), Wishes(drops=frozenset({"user.first"})), None),
        (hinted(first=None, last=None, title="last"), Wishes(), "the models still have user.last"),
        (hinted(first=None, title="last"), Wishes(drops=frozenset({"user.last"})), "--drop"),
        (
            hinted(title="last", other=None),
            Wishes(renames={"user.last": "other"}),
            "the model of user.title says that it was last",
        ),
    ],
)
def test_what_models_say_and_cannot_be(
    make_project: ProjectMaker, url: str, after: Models, wishes: Wishes, reason: str | None
) -> None:
    change = Change(make_project, url, two_columns("first", "last"))
    repository = change.to(after).repository
    repository.check()  # a report says what it sees and refuses nothing
    if reason is None:
        repository.revision(autogenerate=True, wishes=wishes)
        return
    with pytest.raises(RefusedError, match=reason):
        repository.revision(autogenerate=True, wishes=wishes)
    assert len(change.files()) == 1


def test_a_stale_hint_is_told(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, models())
    project = change.to(models("member", "full_name", hint="name", table_hint="user"))
    assert project.flask("migrate").exit_code == 0
    assert project.flask("upgrade").exit_code == 0
    result = project.flask("migrate")
    assert result.exit_code == 0
    assert result.stderr == (
        "member says that it was user (renamed_from), which the database does not have any more: "
        "renamed_from can go.\n"
        "member.full_name says that it was name (renamed_from), which the database does not have "
        "any more: renamed_from can go.\n"
        "No changes in schema detected.\n"
    )
    assert "renamed_from" not in project.flask("check").stderr


def test_a_hint_that_never_was(make_project: ProjectMaker, url: str) -> None:
    change = Change(make_project, url, two_columns("first"))
    result = change.to(hinted(first=None, title="frist")).flask("migrate")
    assert (
        "user.title says that it was frist (renamed_from), which the database does not have. "
        in (result.stderr)
    )
    assert "+ column user.title" in result.stderr


def test_check_says_what_the_models_say(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, models(indexed=False))
    plain = change.to(models(name="full_name", indexed=False))
    kinds = sorted(one[0] for one in plain.repository.check().differences)
    assert kinds == ["add_column", "remove_column"]
    project = change.to(models(name="full_name", hint="name", indexed=False))
    found = project.repository.check()
    assert found.differences == ([("rename_column", None, "user", "name", "full_name")],)
    assert "new_column_name='full_name'" in "\n".join(found.operations)


def test_rows_that_are_lost_are_counted_under_the_old_name(
    make_project: ProjectMaker, bind_url: str
) -> None:
    change = Change(make_project, bind_url, models())

    def after(db: Any) -> None:
        models(user="member")(db)
        user = db.metadata.tables["member"]
        user._columns.remove(user.c.age)

    wishes = Wishes(renames={"user": "member"})
    made = change.to(after).repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert f"! lost: member.age {ROWS} rows" in made.changes


def test_what_follows_a_name_is_renamed(make_project: ProjectMaker, bind_url: str) -> None:
    change = Change(make_project, bind_url, named(models(unique=True)))
    project = change.to(named(models("member", "full_name", "author_id", "post", unique=True)))
    renames = {"user": "member", "user.name": "full_name", "post.user_id": "author_id"}
    made = project.repository.revision(autogenerate=True, wishes=Wishes(renames=renames))
    assert made is not None
    kind = project.engine().dialect.name
    if kind != "sqlite":  # which cannot rename an index
        outside_of_else = re.sub(r"    else:\n(        .*\n)+", "", made.path.read_text())
        assert not re.search("(drop|create)_(index|constraint)", outside_of_else)
    project.repository.upgrade()
    found = names_in(project, "member") | names_in(project, "post")
    assert {"ix_member_full_name", "uq_member_full_name"} <= found
    keys = {"pk_member", "fk_post_author_id_member"}
    if kind == "postgresql":  # MySQL and SQLite have no statement for it
        assert found == {"ix_member_full_name", "uq_member_full_name", "pk_post", *keys}
    assert not found & {"ix_user_name", "uq_user_name"}
    project.repository.downgrade()
    found = names_in(project, "user") | names_in(project, "post")
    assert {"ix_user_name", "uq_user_name", "fk_post_user_id_user"} <= found


def names_in(project: Project, table: str) -> set[str]:
    """The names of the indexes and constraints of a table."""
    inspector = sa.inspect(project.engine())
    found: list[Any] = [
        *inspector.get_indexes(table),
        *inspector.get_unique_constraints(table),
        *inspector.get_foreign_keys(table),
        inspector.get_pk_constraint(table),
    ]
    return {one["name"] for one in found if one["name"]}


@pytest.mark.parametrize("other", ["sqlite", "postgresql", "mariadb"])
def test_the_file_is_for_every_database(
    make_project: ProjectMaker, make_database: DatabaseMaker, bind_url: str, other: str
) -> None:
    change = Change(make_project, bind_url, models())
    # MySQL does not drop an index that a foreign key needs, on the way back.
    after = models("member", "full_name", "author_id", index=other != "mariadb")
    project = change.to(after)
    renames = {"user": "member", "user.name": "full_name", "post.user_id": "author_id"}
    assert project.repository.revision(autogenerate=True, wishes=Wishes(renames=renames))
    directory = change.old.path / "migrations"
    elsewhere = make_project(
        make_database(other), models=after, folder="elsewhere", directory=directory
    )
    elsewhere.repository.upgrade()
    assert without_made_index(differences(elsewhere)) == []
    elsewhere.repository.downgrade()
    elsewhere.repository.upgrade()
    assert without_made_index(differences(elsewhere)) == []
    assert elsewhere.repository.check().ok


def without_made_index(found: list[Any]) -> list[Any]:
    """Leave out the index that MySQL made for post.user_id, which keeps its name.

    A file made on another database cannot know of it, and Alembic by itself does not see that it
    belongs to the foreign key any more.
    """
    return [one for one in found if one[0] != "remove_index" or one[1].name != "user_id"]


def test_a_table_of_a_bind(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    """In a folder of Flask-Migrate for several databases, with its own env.py."""
    template = Path(flask_migrate.__file__).parent / "templates" / "flask-multidb"
    binds = {"logs": make_database("mariadb")}
    url = make_database("postgresql")

    def define(table: str, column: str) -> Models:
        def models(db: Any) -> None:
            two_columns("first", column)(db)
            columns = [sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text)]
            db.Table(table, *columns, bind_key="logs")

        return models

    first = make_project(url, models=define("log", "last"), binds=binds, init=False)
    first.repository.init(str(template))
    assert first.flask("migrate", "-m", "create").exit_code == 0
    assert first.flask("upgrade").exit_code == 0
    with first.engine("logs").begin() as connection:
        connection.exec_driver_sql("INSERT INTO log (text) VALUES ('one'), ('two')")
    second = make_project(
        url,
        models=define("entry", "title"),
        binds=binds,
        folder="changed",
        directory=first.path / "migrations",
    )
    stopped = second.flask("migrate")
    assert stopped.stderr.endswith(
        "  --rename user.last:title   or   --drop user.last\n"
        "  --rename log:entry   or   --drop log\n"
    )
    assert second.flask("migrate", "--rename", "log:entries").exit_code == 1
    told = ["--rename", "log:entry", "--rename", "user.last:title"]
    assert second.flask("migrate", *told).exit_code == 0
    assert second.flask("upgrade").exit_code == 0
    with second.engine("logs").connect() as connection:
        rows = connection.exec_driver_sql("SELECT text FROM entry ORDER BY id").scalars().all()
        assert rows == ["one", "two"]
    assert second.flask("check").exit_code == 0
    assert second.flask("downgrade").exit_code == 0
    assert "log" in second.tables("logs")


def test_in_a_schema(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    def define(table: str, title: str) -> Models:
        def models(db: Any) -> None:
            two_columns("first")(db)
            db.Table(
                table,
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column(title, sa.String(50), index=True),
                sa.Column("user_id", sa.ForeignKey("user.id")),
                schema="shop",
            )

        return models

    url = make_database("postgresql")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("shop"))
    engine.dispose()
    change = Change(make_project, url, define("exam", "title"), include_schemas=True)
    project = change.to(define("test", "name"))
    stopped = project.flask("migrate")
    assert "  --rename shop.exam:test   or   --drop shop.exam\n" in stopped.stderr
    wrong = project.flask("migrate", "--rename", "shop.exam:other.test")
    assert "shop.exam cannot become other.test: the models have no shop.other.test" in wrong.stderr
    asked = project.flask("migrate", "--rename", "shop.exam:shop.test")
    assert "  --rename shop.exam.title:name   or   --drop shop.exam.title\n" in asked.stderr
    told = ["--rename", "shop.exam:shop.test", "--rename", "shop.test.title:name"]
    assert project.flask("migrate", *told).exit_code == 0
    change.round_trip({"exam": "test"})


MYSQL_COLUMNS = {
    "AUTO_INCREMENT": "name INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
    "json_valid": "name LONGTEXT CHECK (json_valid(name))",
    "INVISIBLE": "name INTEGER INVISIBLE",
    "GENERATED": "name INTEGER GENERATED ALWAYS AS (age + 1) STORED",
    "ON UPDATE": "name TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP",
}


@pytest.mark.parametrize("what", MYSQL_COLUMNS)
def test_what_alembic_does_not_state_is_kept(
    make_project: ProjectMaker, make_database: DatabaseMaker, what: str
) -> None:
    """MySQL's CHANGE COLUMN, which Alembic renames with, takes away what it does not state."""
    url = make_database("mariadb")

    def define(name: str) -> Models:
        def models(db: Any) -> None:
            for column in sa.Table("user", sa.MetaData(), autoload_with=engine).c:
                new = name if column.name != "age" else "age"
                more = [sa.Computed("age + 1")] if what == "GENERATED" and new != "age" else []
                key = column.primary_key
                columns.append(
                    sa.Column(new, column.type, *more, nullable=column.nullable, primary_key=key)
                )
            db.Table("user", *columns)

        columns: list[sa.Column[Any]] = []
        return models

    def column() -> str:
        with engine.connect() as connection:
            text: str = connection.exec_driver_sql("SHOW CREATE TABLE user").one()[1]
        return next(line for line in text.splitlines() if line.strip().startswith(NAMES))

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE user (age INTEGER, {MYSQL_COLUMNS[what]})")
        connection.exec_driver_sql("INSERT INTO user (age) VALUES (1)")
    before = column()
    assert what in before
    first = make_project(url, models=define("name"))
    first.write("aa.py", BY_HAND)
    first.repository.stamp("aa")
    project = make_project(
        url, models=define("full_name"), folder="changed", directory=first.path / "migrations"
    )
    wishes = Wishes(renames={"user.name": "full_name"})
    made = project.repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert "~ column user.name renamed to full_name" in made.changes
    project.repository.upgrade()
    assert "`full_name`" in column()
    assert column().replace("full_name", "name") == before
    project.repository.downgrade()
    assert column() == before
    engine.dispose()


NAMES = ("`name`", "`full_name`")
BY_HAND = '"""user"""\nrevision = "aa"\ndown_revision = None\n'


@pytest.mark.parametrize("identity", [False, True])
def test_a_column_with_a_sequence(
    make_project: ProjectMaker, make_database: DatabaseMaker, identity: bool
) -> None:
    def define(key: str) -> Models:
        def models(db: Any) -> None:
            more = [sa.Identity()] if identity else []
            column = sa.Column(key, sa.Integer, *more, primary_key=True)
            db.Table("user", column, sa.Column("name", sa.String(50)))

        return models

    change = Change(make_project, make_database("postgresql"), define("id"))
    wishes = Wishes(renames={"user.id": "number"})
    made = change.to(define("number")).repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert made.changes == ("~ column user.id renamed to number",)
    with change.old.engine().connect() as connection:
        names = Names({}, {(None, "user"): {"id": "number"}})
        inspector = renamed_inspector(MigrationContext.configure(connection), names)
        number = inspector.get_columns("user")[0]
        assert number["name"] == "number"
        assert not number.get("default")  # what fills it is part of its type
    change.round_trip({})


def test_indexes_of_all_kinds(make_project: ProjectMaker, make_database: DatabaseMaker) -> None:
    """They follow by themselves: nothing is left to do for them."""

    def define(name: str) -> Models:
        def models(db: Any) -> None:
            two_columns(name, "last")(db)
            column = db.metadata.tables["user"].c[name]
            last = db.metadata.tables["user"].c.last
            sa.Index("ix_lower", sa.func.lower(column))
            sa.Index("ix_some", last, postgresql_where=column.is_not(None))
            sa.Index("ix_more", last, postgresql_include=[name])
            sa.Index("ix_down", column.desc(), last)
            column.table.append_constraint(sa.CheckConstraint(column != "name", name="ck_name"))

        return models

    change = Change(make_project, make_database("postgresql"), define("name"))
    wishes = Wishes(renames={"user.name": "full_name"})
    made = change.to(define("full_name")).repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert made.changes == ("~ column user.name renamed to full_name",)
    change.round_trip({})


def test_defaults_comments_and_odd_names(make_project: ProjectMaker, bind_url: str) -> None:
    """MySQL states a column anew when it is renamed, and nothing may get lost on the way."""

    def define(table: str, column: str) -> Models:
        def models(db: Any) -> None:
            db.Table(
                table,
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column(
                    column,
                    sa.String(50),
                    server_default="50%: all",
                    comment="it's 50%: a 'comment'",
                    nullable=False,
                ),
                sa.Column("from", sa.Integer, server_default=sa.text("7")),
                sa.Index(f"ix: 100% {column}", column),
            )

        return models

    change = Change(make_project, bind_url, define("order", "select"))
    project = change.to(define("group", "to the 50%: \"x\" 'y'"))
    wishes = Wishes(renames={"order": "group", "order.select": "to the 50%: \"x\" 'y'"})
    assert project.repository.revision(autogenerate=True, wishes=wishes) is not None
    change.round_trip({"order": "group"})


def test_names_that_are_shortened(make_project: ProjectMaker, bind_url: str) -> None:
    """A convention makes names that are too long; the database has them with a mark at the end."""

    def define(column: str) -> Models:
        def models(db: Any) -> None:
            columns = [sa.Column(name, sa.String(50), index=True) for name in (column, "b" * 30)]
            db.Table("t" * 40, sa.Column("id", sa.Integer, primary_key=True), *columns)

        return named(models)

    change = Change(make_project, bind_url, define("a" * 30))
    wishes = Wishes(renames={f"{'t' * 40}.{'a' * 30}": "c" * 30})
    made = change.to(define("c" * 30)).repository.revision(autogenerate=True, wishes=wishes)
    assert made is not None
    assert len([line for line in made.changes if "index" in line and "b" * 20 in line]) == 0
    change.round_trip({})


def test_a_table_of_somebody_else(make_project: ProjectMaker, bind_url: str) -> None:
    """Nobody is asked about it, and it can be renamed when it is named."""
    change = Change(make_project, bind_url, two_columns("first"))
    with change.old.engine().begin() as connection:
        connection.exec_driver_sql("CREATE TABLE geo (id INTEGER PRIMARY KEY, place VARCHAR(50))")
        connection.exec_driver_sql("INSERT INTO geo VALUES (1, 'here')")

    def after(db: Any) -> None:
        two_columns("first")(db)
        columns = [sa.Column("id", sa.Integer, primary_key=True), sa.Column("place", sa.String(50))]
        db.Table("places", *columns)

    project = change.to(after)
    result = project.flask("migrate", "--rev-id", "ab12")
    assert "Left alone: table geo" in result.stderr
    assert "+ table places" in result.stderr
    Path(result.stdout.strip()).unlink()
    made = project.repository.revision(autogenerate=True, wishes=Wishes(renames={"geo": "places"}))
    assert made is not None
    assert "~ table geo renamed to places" in made.changes
    assert not [line for line in made.changes if "table" in line and "renamed" not in line]
    project.repository.upgrade()
    assert change.read(project)["places"] == [(1, "here")]


@pytest.mark.parametrize("seed", range(8))
def test_a_rename_among_other_changes(make_project: ProjectMaker, bind_url: str, seed: int) -> None:
    pair = RandomPair(random.Random(seed))
    change = Change(make_project, bind_url, pair.before)
    project = change.to(pair.after)
    made = project.repository.revision(autogenerate=True, wishes=pair.wishes)
    assert made is not None
    told = [line for line in made.changes if re.match("~ (table|column) .* renamed to ", line)]
    assert len(told) == len(pair.wishes.renames)
    for _ in range(2):
        project.repository.upgrade()
        assert differences(project) == []
        assert project.repository.check().ok
        for (table, column), (old_table, old_column) in pair.kept.items():
            old = change.old.db.metadata.tables[old_table].c[old_column]
            wanted = [row_of(old.table, number)[old_column] for number in range(1, ROWS + 1)]
            assert values(project, table, column) == wanted
        project.repository.downgrade()
        assert differences(change.old) == []


def values(project: Project, table: str, column: str) -> list[Any]:
    model = project.db.metadata.tables[table]
    with project.engine().connect() as connection:
        return list(connection.execute(sa.select(model.c[column]).order_by(model.c.id)).scalars())


Columns = dict[str, "tuple[Any, bool]"]


class RandomPair:
    """Two versions of some models: some names differ, and some other things.

    :param wishes: what differs only in its name, and what was dropped.
    :param kept: the old table and column, by the new ones, of what was not dropped.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._old: dict[str, Columns] = {}
        self._new: dict[str, Columns] = {}
        self._renames: dict[str, str] = {}
        self._drops: set[str] = set()
        self.kept: dict[tuple[str, str], tuple[str, str]] = {}
        for table in ("person", "exam", "answer"):
            self._old[table] = {
                f"c{number}": (chance.choice([sa.Integer(), sa.String(40)]), chance.random() < 0.4)
                for number in range(chance.randint(1, 4))
            }
            name = self._maybe(table, table, f"new_{table}")
            self._new[name] = dict(self._change(table, name))
        if not self._renames:
            self.__init__(chance)  # type: ignore[misc]
        self.wishes = Wishes(renames=self._renames, drops=frozenset(self._drops))

    def _maybe(self, written: str, old: str, new: str) -> str:
        if self._chance.random() < 0.6:
            return old
        self._renames[written] = new
        return new

    def _change(self, table: str, name: str) -> Iterator[tuple[str, tuple[Any, bool]]]:
        for column, (type_, indexed) in self._old[table].items():
            if self._chance.random() < 0.2:
                self._drops.add(f"{table}.{column}")
                continue
            new = self._maybe(f"{table}.{column}", column, f"new_{column}")
            if self._chance.random() < 0.3:
                type_ = sa.String(80) if isinstance(type_, sa.String) else sa.BigInteger()
            yield new, (type_, indexed ^ (self._chance.random() < 0.3))
            self.kept[name, new] = (table, column)
        if self._chance.random() < 0.5:
            yield "added", (sa.Integer(), self._chance.random() < 0.5)

    def before(self, db: Any) -> None:
        """Define the models as they were."""
        self._define(db, self._old)

    def after(self, db: Any) -> None:
        """Define them as they are."""
        self._define(db, self._new)

    @staticmethod
    def _define(db: Any, tables: dict[str, Columns]) -> None:
        first = next(iter(tables))
        for name, columns in tables.items():
            db.Table(
                name,
                sa.Column("id", sa.Integer, primary_key=True),
                *(sa.Column(one, type_, index=ix) for one, (type_, ix) in columns.items()),
                *([] if name == first else [sa.Column("parent", sa.ForeignKey(f"{first}.id"))]),
            )


def test_tables_are_reflected_with_what_they_refer_to(
    make_project: ProjectMaker, bind_url: str
) -> None:
    """As Alembic before 1.18 does it, and an application may do it in a comparator of its own."""
    change = Change(make_project, bind_url, models())
    names = Names({(None, "user"): "member"}, {(None, "member"): {"name": "full_name"}})
    with change.old.engine().connect() as connection:
        inspector = renamed_inspector(MigrationContext.configure(connection), names)
        assert {"member", "post"} <= set(inspector.get_table_names())
        metadata = sa.MetaData()
        post = sa.Table("post", metadata)
        inspector.reflect_table(post, include_columns=None)
        assert post.c.user_id.references(metadata.tables["member"].c.id)
        assert set(metadata.tables["member"].c.keys()) == {"id", "full_name", "age"}
        assert "name" in {one["name"] for one in sa.inspect(connection).get_columns("user")}


def test_what_of_alembic_is_not_public() -> None:
    """The second comparison needs a context that was given an inspector, and what runs it."""
    from alembic import autogenerate
    from alembic.autogenerate.api import AutogenContext

    parameters = list(inspect.signature(autogenerate._produce_net_changes).parameters)
    assert parameters == ["autogen_context", "upgrade_ops"]
    context = AutogenContext(MigrationContext.configure(dialect_name="sqlite"))
    marker: Any = object()
    context.inspector = marker
    assert context.inspector is marker
