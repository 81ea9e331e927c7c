"""What a revision or create_all() has made is what the models say: nothing is left to do."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from tests.conftest import Project, ProjectMaker
from tests.database.changing import ran, rows, settled


class Colour(enum.Enum):
    red = "R"
    green = "G"


class Decorated(sa.TypeDecorator[Any]):
    impl = sa.String(12)
    cache_ok = True


NOW = sa.func.now()
CHECK = {"native_enum": False, "create_constraint": True}
# Types, and pairs of a type and a server default.
EVERYWHERE: list[Any] = [
    *(sa.Boolean(), sa.Integer(), sa.SmallInteger(), sa.BigInteger(), sa.Float(), sa.Double()),
    *(sa.Numeric(), sa.Numeric(10), sa.Numeric(10, 2), sa.Float(53), sa.REAL(), sa.DECIMAL(8, 3)),
    *(sa.String(50), sa.CHAR(3), sa.Text(), sa.Unicode(40), sa.UnicodeText(), sa.LargeBinary(100)),
    *(sa.Date(), sa.Time(), sa.DateTime(), sa.DateTime(timezone=True), sa.TIMESTAMP(), sa.JSON()),
    *(sa.Interval(), sa.Uuid(), sa.Uuid(native_uuid=False), sa.PickleType(), Decorated()),
    *(sa.Enum("a", "it's", name="en"), sa.Enum(Colour), sa.Enum("a", "bb", native_enum=False)),
    *(sa.Enum("a", "b", name="ck_en", **CHECK), sa.Boolean(create_constraint=True, name="ck_b")),
    sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"),
    *((sa.Integer, one) for one in ("0", "-5", sa.text("0"), sa.text("-1"), sa.text("(1 + 2)"))),
    *((sa.Numeric(10, 2), one) for one in ("1.50", sa.text("1.5"), "0", "-1.5")),
    *((sa.String(30), one) for one in ("abc", "", "  ", "it's", 'say "x"', "50%", "a:b", "(x)")),
    *((sa.String(30), one) for one in ("0", "a\\b", "a\nb", "é", "NULL", "now()")),
    *((sa.String(30), sa.text(one)) for one in ("'abc'", "''", "'it''s'", "'a\\:b'", "NULL")),
    *((sa.Boolean, one) for one in (sa.false(), sa.true(), sa.text("false"), "0", "1")),
    *((sa.DateTime, one) for one in (NOW, sa.func.current_timestamp(), "2020-01-01 00:00:00")),
    *((sa.DateTime, sa.text(one)) for one in ("CURRENT_TIMESTAMP", "'2020-01-01 00:00:00'")),
    *((sa.Date, one) for one in ("2020-01-01", sa.func.current_date(), sa.text("(CURRENT_DATE)"))),
    *((sa.JSON, one) for one in ("{}", sa.text("'[]'"), '{"b": 1, "a": [2]}')),
    *((sa.Enum("a", "b", name="en2"), "a"), (sa.Enum(Colour, name="en3"), "red")),
    *(
        (Decorated, "x"),
        (sa.Float, "2.5"),
        (sa.Float, sa.text("0")),
    ),
    *((sa.String(30), sa.text("(lower('ABC'))")), (sa.String(30), sa.func.upper("abc"))),
]
HERE: dict[str, list[Any]] = {
    "sqlite": [
        sa.VARBINARY(16),
        (sa.DateTime, sa.text("(datetime('now', 'localtime'))")),
        (sa.Text, sa.text("(lower(hex(randomblob(16))))")),
    ],
    "postgresql": [
        *(postgresql.JSONB(), postgresql.ARRAY(sa.Integer), sa.ARRAY(sa.String(20)), sa.Float(24)),
        *(postgresql.UUID(), postgresql.INET(), postgresql.CIDR(), postgresql.BIT(8)),
        *(postgresql.TIMESTAMP(True, 3), postgresql.TIME(precision=2), postgresql.TSVECTOR()),
        *(postgresql.INTERVAL(), postgresql.INT4RANGE(), postgresql.BYTEA(), postgresql.MONEY()),
        sa.ARRAY(sa.Enum("x", "y", name="en4")),
        (postgresql.JSONB, '{"b": 1, "a": 2}'),
        (sa.Uuid, sa.func.gen_random_uuid()),
        (postgresql.ARRAY(sa.Text), sa.text("ARRAY[]::text[]")),
        (postgresql.ARRAY(sa.Integer), "{}"),
        (sa.DateTime, sa.func.timezone("utc", NOW)),
        (sa.DateTime(True), sa.text("now() + interval '1 day'")),
        (sa.Interval, "1 day"),
        (sa.Text, sa.text("md5(random()::text)")),
        (sa.BigInteger, sa.text("(extract(epoch from now()) * 1000)::bigint")),
        (sa.Enum("a", "b", name="en5"), sa.text("'a'::en5")),
    ],
    "mysql": [
        *(mysql.TINYINT(1), mysql.INTEGER(unsigned=True), mysql.YEAR(), mysql.BIT(1)),
        *(mysql.MEDIUMTEXT(), mysql.LONGBLOB(), mysql.SET("a", "b"), mysql.ENUM("a", "b")),
        *(mysql.DATETIME(fsp=6), mysql.DOUBLE(10, 2), mysql.VARCHAR(20, collation="utf8mb4_bin")),
        *(sa.NVARCHAR(20), sa.VARBINARY(16)),
        (mysql.TINYINT(1), sa.text("1")),
        (mysql.DATETIME(fsp=6), sa.text("CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)")),
        (sa.DateTime, sa.text("now() on update now()")),
        (sa.String(36), sa.text("(uuid())")),
        (sa.JSON, sa.text("(json_object())")),
        (mysql.BIT(1), sa.text("b'1'")),
    ],
}


def columns(kind: str) -> Iterator[sa.Column[Any]]:
    for number, one in enumerate([*EVERYWHERE, *HERE[kind]]):
        type_, default = one if isinstance(one, tuple) else (one, None)
        yield sa.Column(f"c{number}", type_, server_default=default)


def define(kind: str) -> Any:
    """Return models with all of them, ten to a table, and all kinds of indexes and constraints."""

    def models(db: Any) -> None:
        every = list(columns(kind))
        for start in range(0, len(every), 10):
            db.Table(f"t{start}", _id(), *every[start : start + 10])
        schema = {"sqlite": "main", "postgresql": "public"}.get(kind)
        db.Table("parent", _id(), sa.Column("a", sa.Integer), schema=schema)
        parent = f"{schema}.parent.id" if schema else "parent.id"
        actions = ("CASCADE", "SET NULL", "RESTRICT", "NO ACTION", None)
        child = db.Table(
            "child",
            _id(),
            *(
                sa.Column(f"p{at}", sa.ForeignKey(parent, ondelete=one, onupdate=one))
                for at, one in enumerate(actions)
            ),
            sa.Column("x", sa.String(20), comment='it\'s 50% "x" a:b'),
            sa.Column("y", sa.Integer, unique=True),
            sa.Column("z", sa.Integer, index=True, server_default="1"),
            sa.Column("twice", sa.Integer, sa.Computed("y * 2", persisted=True)),
            sa.UniqueConstraint("x", "y"),
            sa.UniqueConstraint("x", "z", name="uq_named"),
            sa.CheckConstraint("y < 100", name="ck_y"),
            comment="a table's",
            schema=schema,
        )
        sa.Index("ix_desc", child.c.x.desc(), child.c.z)
        more = {"postgresql_where": child.c.z > 5, "sqlite_where": child.c.z > 5}
        sa.Index("ix_part", child.c.z, child.c.x, **more)
        if kind == "postgresql":
            sa.Index("ix_expr", sa.func.lower(child.c.x), child.c.y)
            sa.Index("ix_ops", child.c.x, postgresql_ops={"x": "varchar_pattern_ops"})
            identity = sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True)
            db.Table("identity", identity, sa.Column("a", sa.Integer))

    return models


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


@pytest.fixture
def project(make_project: ProjectMaker, bind_url: str) -> Project:
    kind = sa.make_url(bind_url).get_backend_name()
    return make_project(bind_url, models=define(kind))


def fill(project: Project) -> None:
    """Put a row into each table."""
    with project.engine().begin() as connection:
        for table in project.db.metadata.sorted_tables:
            if table.name != "identity":
                connection.execute(sa.insert(sa.table(table.name, sa.column("id"))).values(id=1))


def test_what_a_revision_has_made(project: Project) -> None:
    ran(project, "migrate", "-m", "all")
    ran(project, "upgrade")
    fill(project)
    settled(project)
    ran(project, "downgrade")
    assert project.tables() == {"alembic_version"}
    ran(project, "upgrade")
    settled(project)


def test_what_create_all_has_made(project: Project) -> None:
    ran(project, "revision", "-m", "empty")
    with project.app.app_context():
        project.db.create_all()
    ran(project, "stamp")
    fill(project)
    settled(project)


def test_a_type_that_differs_is_seen(project: Project) -> None:
    ran(project, "revision", "-m", "empty")
    with project.app.app_context():
        project.db.create_all()
    ran(project, "stamp")
    rows(project, "ALTER TABLE t0 DROP COLUMN c0")
    rows(project, "ALTER TABLE t0 ADD COLUMN c0 VARCHAR(10)")
    check = project.flask("check")
    assert check.exit_code == 1
    assert check.stdout.count("alter_column") == 1
    assert "'c0'" in check.stdout
