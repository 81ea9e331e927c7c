"""How types, defaults and checks are written into a revision file."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import geoalchemy2
import pytest
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql, postgresql

from flask_sakyum_migrate.autogenerate import render_item

DIALECTS = {
    name: sa.make_url(f"{name}://").get_dialect()()
    for name in ("postgresql", "mysql+pymysql", "sqlite")
}


class Money(sa.types.TypeDecorator[Any]):
    impl = sa.Numeric(10, 2)
    cache_ok = True


class Price(sa.types.TypeDecorator[Any]):
    """One of the application upon another."""

    impl = Money
    cache_ok = True


class Guid(sa.types.TypeDecorator[Any]):
    """As in SQLAlchemy's recipes: another type on each database."""

    impl = sa.CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID())
        return dialect.type_descriptor(sa.CHAR(32))


class Short(sa.String):
    """A type of SQLAlchemy with another constructor."""

    def __init__(self) -> None:
        super().__init__(7)


class Point(sa.types.UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "POINT(2)"


class Fails(sa.types.TypeDecorator[Any]):
    """Made for some databases only."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        if dialect.name not in ("postgresql", "mysql", "sqlite"):
            raise RuntimeError("no idea")
        return sa.Text()


def code(*columns: Any, dialect: str = "sqlite", **options: Any) -> str:
    """Return what a revision says of columns and checks, without the rest of its lines."""
    context = MigrationContext.configure(dialect=DIALECTS[dialect])
    made = ops.UpgradeOps([ops.CreateTableOp("t", list(columns))])
    text = render_python_code(made, render_item=render_item, migration_context=context, **options)
    lines = [line.strip().removesuffix(",") for line in text.splitlines()]
    return "\n".join(line for line in lines if line.startswith(("sa.", "type(")))


def type_code(type_: Any, **options: Any) -> str:
    """Return what a revision says of a type; it is run, and it has to be the type it stands for."""
    text = code(sa.Column("x", type_), **options)
    text = text.removeprefix("sa.Column('x', ").removesuffix(", nullable=True)")
    modules = {"sa": sa, "postgresql": postgresql, "mysql": mysql}
    made = eval(text, {**modules, "packaged": sys.modules.get("packaged")})
    for dialect in DIALECTS.values():
        assert made.compile(dialect) == type_.compile(dialect)
    return text


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (Money(), "sa.Numeric(precision=10, scale=2)"),
        (Price(), "sa.Numeric(precision=10, scale=2)"),
        (Guid(), "sa.CHAR(length=32).with_variant(sa.UUID(), 'postgresql')"),
        (Short(), "sa.String(length=7)"),
        (Fails(), "sa.Text()"),
        (sa.String(5), "sa.String(length=5)"),
        (
            Money().with_variant(mysql.LONGTEXT(), "mysql"),
            "sa.Numeric(precision=10, scale=2).with_variant(mysql.LONGTEXT(), 'mysql')",
        ),
        (
            sa.String(5).with_variant(Short(), "sqlite"),
            "sa.String(length=5).with_variant(sa.String(length=7), 'sqlite')",
        ),
        (
            Point(),
            "type('Type', (sa.types.UserDefinedType,), "
            "{'cache_ok': True, 'get_col_spec': lambda self, **kw: 'POINT(2)'})()",
        ),
    ],
)
def test_a_type_of_the_application(type_: Any, expected: str, dialect: str) -> None:
    assert type_code(type_, dialect=dialect) == expected


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that was installed, with a type whose repr() is its code and one with none."""
    module = ModuleType("packaged")
    module.__file__ = "/usr/lib/python3/site-packages/packaged.py"
    monkeypatch.setitem(sys.modules, "packaged", module)
    source = """
import sqlalchemy as sa

class Email(sa.String):
    pass

class Choice(sa.types.TypeDecorator):
    impl = sa.String
    cache_ok = True

    def __init__(self, choices):
        self.choices = choices
        super().__init__(9)
"""
    exec(source, module.__dict__)
    return module


def test_a_type_of_a_package(packaged: ModuleType) -> None:
    assert type_code(packaged.Email(30)) == "packaged.Email(length=30)"


def test_a_type_of_a_package_whose_repr_is_no_code(packaged: ModuleType) -> None:
    assert type_code(packaged.Choice(object())) == "sa.String(length=9)"


def test_a_prefix_that_was_given_is_kept() -> None:
    text = code(sa.Column("x", Money()), user_module_prefix="mine.")
    assert text == "sa.Column('x', mine.Money(precision=10, scale=2), nullable=True)"


# ---- defaults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (sa.true(), "sa.true()"),
        (sa.false(), "sa.false()"),
        (sa.func.now(), "sa.func.now()"),
        (sa.func.current_date(), "sa.func.current_date()"),
        ("0", "'0'"),
        ("'quoted'", "\"'quoted'\""),
        ("it's 5% :x", '"it\'s 5% :x"'),
        (sa.text("'5% \\:x'"), "sa.text(\"'5% \\\\:x'\")"),
        (sa.text("'12:30'"), "sa.text(\"'12:30'\")"),
    ],
)
def test_a_default(default: Any, expected: str, dialect: str) -> None:
    def column() -> sa.Column[str]:
        return sa.Column("x", sa.String(20), server_default=default)

    text = code(column(), dialect=dialect)
    assert text == f"sa.Column('x', sa.String(length=20), server_default={expected}, nullable=True)"
    for one in DIALECTS.values():
        again, first = (
            str(sa.schema.CreateTable(sa.Table("t", sa.MetaData(), it)).compile(dialect=one))
            for it in (eval(text, {"sa": sa}), column())
        )
        assert again == first


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_computed_column(dialect: str) -> None:
    column = sa.Column("x", sa.Integer, sa.Computed("a % 2", persisted=True))
    expected = "sa.Column('x', sa.Integer(), sa.Computed('a % 2', persisted=True), nullable=True)"
    assert code(column, dialect=dialect) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_check(dialect: str) -> None:
    checks = [
        sa.CheckConstraint("x % 2 = 0 AND y <> ' \\:z'", name="ck_x"),
        sa.CheckConstraint("x > 1", name=sa.sql.elements.conv("ck_y")),
        sa.CheckConstraint("x > 2"),
    ]
    assert code(sa.Column("x", sa.Integer), *checks, dialect=dialect).splitlines()[1:] == [
        "sa.CheckConstraint(\"x % 2 = 0 AND y <> ' \\\\:z'\", name='ck_x')",
        "sa.CheckConstraint('x > 1', name=op.f('ck_y'))",
        "sa.CheckConstraint('x > 2')",
    ]


def test_what_a_type_brings_is_not_written_twice() -> None:
    column: sa.Column[Any] = sa.Column(
        "x", sa.Enum("a", "b:c", name="e", native_enum=False, create_constraint=True)
    )
    table = sa.Table("t", sa.MetaData(), column)
    assert "CheckConstraint" not in code(*table.columns, *table.constraints)


def test_a_domain_is_written_by_its_name() -> None:
    domain = postgresql.DOMAIN("email", sa.String(50), check="VALUE LIKE '%@%'", schema="types")
    expected = (
        "sa.Column('x', postgresql.DOMAIN('email', sa.String(length=50), schema='types', "
        "create_type=False), nullable=True)"
    )
    assert code(sa.Column("x", domain), dialect="postgresql") == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_index_of_a_geometry_is_made_once(dialect: str) -> None:
    """The file makes the index; GeoAlchemy2 would make it with the table on PostGIS."""
    text = code(sa.Column("x", geoalchemy2.Geometry("POINT")), dialect=dialect)
    assert ("spatial_index=False" in text) == (dialect == "postgresql")
