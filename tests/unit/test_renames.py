"""What may have been renamed, what answers it, and what is left to ask: without a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql, postgresql

from flask_sakyum_migrate.autogenerate.differences.bysql import words as renamed
from flask_sakyum_migrate.autogenerate.differences.names import Names
from flask_sakyum_migrate.autogenerate.renaming.answers import Scope, decide, from_models, stop
from flask_sakyum_migrate.autogenerate.renaming.inspecting import _option
from flask_sakyum_migrate.autogenerate.renaming.likeness import (
    Likeness,
    columns_alike,
    tables_alike,
)
from flask_sakyum_migrate.autogenerate.renaming.operations import (
    RenameColumn,
    RenameTable,
    rename_by_sql,
)
from flask_sakyum_migrate.errors import RefusedError
from flask_sakyum_migrate.wishes import Wishes


def impl(dialect: str = "postgresql") -> Any:
    return MigrationContext.configure(dialect_name=dialect).impl


def scope(
    gone: str = "", new: str = "", kept: str = "", hints: dict[str, str] | None = None, **more: Any
) -> Scope:
    """The columns of a user, by their first letters; what begins alike looks alike."""

    def alike(old: str, new: str) -> Likeness | None:
        return Likeness(len(old) / 10, "same letter") if old[0] == new[0] else None

    old, added = ({name: name for name in text.split()} for text in (gone, new))
    return Scope("column", ["user."], old, added, kept.split(), hints or {}, alike, **more)


def test_nothing_looks_alike() -> None:
    answers = decide(scope("name", "title"), Wishes(), None)
    assert (answers.pairs, answers.unanswered) == ({}, [])


def test_what_looks_alike_is_a_candidate_and_no_more() -> None:
    answers = decide(scope("na name", "nick naming", "id"), Wishes(), None)
    assert answers.pairs == {}
    assert [(one.old, one.new) for one in answers.unanswered] == [
        ("user.name", "user.naming"),
        ("user.name", "user.nick"),
        ("user.na", "user.naming"),
        ("user.na", "user.nick"),
    ]
    error = stop(answers.unanswered)
    assert error.hint == (
        "Tell flask db migrate which it is:\n"
        "  --rename user.name:naming   or   --rename user.name:nick   or   --drop user.name\n"
        "  --rename user.na:naming   or   --rename user.na:nick   or   --drop user.na"
    )


def test_the_options_can_be_pasted() -> None:
    answers = decide(scope("name", "new"), Wishes(), None)
    candidate = answers.unanswered[0]
    odd = type(candidate)("column", "user.the name", "user.it's", "it's", candidate.likeness)
    assert stop([odd]).hint.endswith(
        """  --rename 'user.the name:it'"'"'s'   or   --drop 'user.the name'"""
    )


@pytest.mark.parametrize(
    ("renames", "pairs"),
    [
        ({"user.name": "nick"}, {"name": "nick"}),
        ({"user.name": "user.nick"}, {"name": "nick"}),
        ({"other.name": "nick"}, {}),
        ({"user": "users"}, {}),
    ],
)
def test_a_wish(renames: dict[str, str], pairs: dict[str, str]) -> None:
    answers = decide(scope("name", "nick"), Wishes(renames=renames), lambda question: False)
    assert answers.pairs == pairs
    assert answers.used == (set(renames) if pairs else set())


def test_a_drop_is_not_asked_about() -> None:
    wishes = Wishes(drops=frozenset({"user.name"}))
    assert decide(scope("name", "nick"), wishes, None).unanswered == []
    assert decide(scope("name", "nick", unasked={"name"}), Wishes(), None).unanswered == []


def test_each_name_is_given_once() -> None:
    asked = []

    def ask(question: Any) -> bool:
        asked.append((question.old, question.new))
        return True

    answers = decide(scope("na name", "nick naming"), Wishes(), ask)
    assert answers.pairs == {"name": "naming", "na": "nick"}
    assert asked == [("user.name", "user.naming"), ("user.na", "user.nick")]


def test_what_is_answered_is_not_asked() -> None:
    answers = decide(
        scope("name nick", "naming new", hints={"new": "nick"}),
        Wishes(renames={"user.name": "naming"}),
        lambda question: pytest.fail(f"{question} is asked"),
    )
    assert answers.pairs == {"nick": "new", "name": "naming"}


CIRCLE = {"a": "c", "b": "a", "c": "b"}


@pytest.mark.parametrize(
    ("here", "reason"),
    [
        (scope(kept="a b", hints={"a": "b", "b": "a"}), "would swap their names"),
        (scope(kept="a b c", hints=CIRCLE), "would become"),
        (scope("a", "c", "b", hints={"b": "a", "c": "b"}), "Write two revisions: first user.b"),
        (scope("a", "", "b", hints={"b": "a"}), "the database has both"),
        (scope("", "b", "a", hints={"b": "a"}), "the models still have user.a"),
        (scope("a", "b c", hints={"b": "a"}), "--drop user.a says that it goes"),
    ],
)
def test_what_is_refused(here: Scope, reason: str) -> None:
    drops = frozenset({"user.a"}) if "--drop" in reason else frozenset()
    with pytest.raises(RefusedError) as caught:
        decide(here, Wishes(drops=drops), None)
    assert reason in str(caught.value)
    assert "Nothing was written." in str(caught.value)


@pytest.mark.parametrize(
    ("here", "note"),
    [
        (scope(kept="b", hints={"b": "a"}), "any more: renamed_from can go."),
        (scope("", "b", hints={"b": "a"}), "It is taken for new."),
        (scope(kept="a b", hints={"b": "a"}), "has both: renamed_from can go."),
        (scope(kept="a b c", hints={"b": "a", "c": "b"}), "has both: renamed_from can go."),
    ],
)
def test_hints_that_say_nothing(here: Scope, note: str) -> None:
    answers = decide(here, Wishes(), None)
    assert answers.pairs == {}
    assert note in answers.notes[0]


def test_a_report_takes_only_what_can_be_done() -> None:
    hints = {"new": "name", "kept": "gone", "b": "a", "a": "b"}
    here = scope("name gone", "new", "kept a b", hints=hints)
    assert from_models(here).pairs == {"name": "new"}


TYPES: list[tuple[str, Any, Any, str | None]] = [
    ("postgresql", sa.String(50), sa.String(50), "same type"),
    ("postgresql", sa.String(50), sa.String(80), "VARCHAR(50) -> VARCHAR(80)"),
    ("postgresql", sa.String(50), sa.Text(), "VARCHAR(50) -> TEXT"),
    ("postgresql", sa.Integer(), sa.BigInteger(), "INTEGER -> BIGINT"),
    ("postgresql", sa.Boolean(), sa.Integer(), "BOOLEAN -> INTEGER"),
    ("postgresql", sa.String(50), sa.Integer(), None),
    ("postgresql", sa.DateTime(), sa.String(50), None),
    ("postgresql", sa.LargeBinary(), sa.Date(), None),
    ("postgresql", sa.String(50), sa.Enum("a", "b", name="ab"), "VARCHAR(50) -> ab"),
    ("postgresql", postgresql.JSONB(), sa.JSON(), "JSONB -> JSON"),
    ("postgresql", sa.types.NullType(), sa.Integer(), "NullType -> INTEGER"),
    ("mysql", mysql.TINYINT(display_width=1), sa.Boolean(), "same type"),
    ("sqlite", sa.DATE(), sa.DateTime(), "DATE -> DATETIME"),
]


@pytest.mark.parametrize(("dialect", "old", "new", "words"), TYPES)
def test_columns_alike(dialect: str, old: Any, new: Any, words: str | None) -> None:
    columns = sa.Column("old", old), sa.Column("new", new)
    for column in columns:
        sa.Table("user", sa.MetaData(), sa.Column("id", sa.Integer), column)
    found = columns_alike(*columns, impl(dialect))
    assert (found.words if found else None) == words


def test_a_type_of_the_application() -> None:
    class Upper(sa.TypeDecorator[str]):
        impl = sa.String
        cache_ok = True

    old = sa.Column("old", sa.String(50))
    new: sa.Column[Any] = sa.Column("new", Upper(80))
    found = columns_alike(old, new, impl())
    assert found is not None
    assert columns_alike(sa.Column("old", sa.Integer), new, impl()) is None


def test_the_likeliest_first() -> None:
    old = table("name:String age:Integer nick:String").c.name
    new = table("full_name:String alter:Integer title:String", "after")
    found = [columns_alike(old, column, impl()) for column in new.c]
    assert found[1] is None
    assert found[0] is not None
    assert found[2] is not None
    assert 0 <= found[2].score < found[0].score <= 1


def table(columns: str, name: str = "before") -> sa.Table:
    parts = (one.split(":") for one in columns.split())
    made = [sa.Column(column, getattr(sa, type_)()) for column, type_ in parts]
    return sa.Table(name, sa.MetaData(), *made)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id:Integer name:String", "id:Integer name:String", "same columns"),
        ("id:Integer name:String", "id:Integer title:String", "1 of 2 columns the same"),
        ("a:Integer b:String c:Date", "a:Integer b:String c:Date d:Date e:Date", "3 of 5"),
        ("a:Integer b:String", "a:Integer c:Date d:Date e:Date", None),
        ("id:Integer", "id:Integer name:String", None),
        ("id:Integer name:String", "id:Date name:Date", None),
        ("", "", None),
    ],
)
def test_tables_alike(old: str, new: str, words: str | None) -> None:
    found = tables_alike(table(old), table(new, "after"), impl())
    assert (found is None) == (words is None)
    assert found is None or found.words.startswith(str(words))


def test_names_lead_both_ways() -> None:
    names = Names({(None, "exam"): "test"}, {(None, "test"): {"title": "name"}})
    assert names
    assert not Names()
    assert names.new_table("exam", None) == "test"
    assert names.stored_table("test", None) == "exam"
    assert names.stored_column("test", None, "name") == "title"
    assert names.new_table("exam", "shop") == "exam"
    assert names.stored_table("test", "shop") == "test"
    assert names.stored_column("test", None, "other") == "other"


def test_words_of_an_expression() -> None:
    pairs = {"name": "full_name"}
    assert renamed("lower(\"name\") <> 'name'", pairs) == "lower(\"full_name\") <> 'name'"
    assert renamed("nickname || user_name", pairs) == "nickname || user_name"
    assert _option({"name": 10, "age": 4}, pairs) == {"full_name": 10, "age": 4}
    assert _option(["name", "age"], pairs) == ["full_name", "age"]
    assert _option(True, pairs) is True


MYSQL = "if op.get_context().dialect.name == 'mysql':"
DROP = ops.DropIndexOp.from_index(sa.Index("a", table("c:Integer", "t").c.c))

OPERATIONS: list[tuple[Callable[[], Any], str, str]] = [
    (
        lambda: RenameTable("exam", "test", schema="shop"),
        "op.rename_table('exam', 'test', schema='shop')",
        "op.rename_table('test', 'exam', schema='shop')",
    ),
    (
        lambda: RenameColumn("user", "name", modify_name="nick", existing_nullable=False),
        "op.alter_column('user', 'name',new_column_name='nick',existing_nullable=False)",
        "op.alter_column('user', 'nick',new_column_name='name',existing_nullable=False)",
    ),
    (
        lambda: rename_by_sql(
            ("mysql",), 'RENAME INDEX "a :b" TO c', 'RENAME INDEX c TO "a :b"', "~"
        ),
        MYSQL + """op.execute('RENAME INDEX "a \\\\:b" TO c')""",
        MYSQL + """op.execute('RENAME INDEX c TO "a \\\\:b"')""",
    ),
    (
        lambda: rename_by_sql(("mysql",), "there", "back", "~", ([DROP], [DROP.reverse()])),
        MYSQL + "op.execute('there')else:op.drop_index('a', table_name='t')",
        MYSQL + "op.execute('back')else:op.create_index('a', 't', ['c'], unique=False)",
    ),
]


@pytest.mark.parametrize(("make", "there", "back"), OPERATIONS)
def test_operations_know_their_way_back(make: Callable[[], Any], there: str, back: str) -> None:
    one = make()
    assert code(one) == there
    assert code(one.reverse()) == back
    assert code(one.reverse().reverse()) == there
    assert one.to_diff_tuple()


def code(one: Any) -> str:
    lines = render_python_code(ops.UpgradeOps([one])).splitlines()
    text = [line.strip() for line in lines if not line.strip().startswith("#")]
    return "".join(text)


def test_a_column_that_the_database_makes_is_not_stated() -> None:
    column = sa.Column("total", sa.Integer, sa.Computed("price * 2"))
    assert "server_default" not in code(RenameColumn.of("cart", None, column, "sum"))
    column = sa.Column("total", sa.Integer, server_default="0")
    assert "server_default" in code(RenameColumn.of("cart", None, column, "sum"))
