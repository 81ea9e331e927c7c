"""Which changes of a type may lose something."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from flask_sakyum_migrate.autogenerate.types.losing import may_lose

POSTGRESQL, MYSQL, SQLITE = (
    sa.make_url(f"{name}://").get_dialect()() for name in ("postgresql", "mysql", "sqlite")
)


class Cents(sa.types.TypeDecorator[Any]):
    impl = sa.Integer
    cache_ok = True


KEPT: list[tuple[Any, Any]] = [
    (sa.SmallInteger(), sa.Integer()),
    (sa.Integer(), sa.BigInteger()),
    (sa.Integer(), sa.Numeric(10, 0)),
    (sa.BigInteger(), sa.Numeric(19, 0)),
    (sa.Integer(), sa.Double()),
    (sa.Boolean(), sa.Integer()),
    (sa.Numeric(10, 2), sa.Numeric(12, 2)),
    (sa.Numeric(10, 2), sa.Numeric(12, 4)),
    (sa.Numeric(9, 0), sa.Integer()),
    (sa.Numeric(10, 2), sa.Double()),
    (sa.String(10), sa.String(10)),
    (sa.String(10), sa.Text()),
    (sa.Integer(), sa.String(11)),
    (sa.Numeric(10, 2), sa.String(12)),
    (sa.Date(), sa.String(10)),
    (sa.Date(), sa.DateTime()),
    (sa.Uuid(), sa.String(36)),
    (sa.Text(), sa.JSON()),
    (sa.Enum("a", "b"), sa.String(1)),
    (sa.Enum("a", "b", native_enum=False), sa.Enum("a", "b", "c", native_enum=False)),
    (sa.LargeBinary(), sa.LargeBinary()),
    (sa.Integer(), Cents()),
    (sa.DateTime(), sa.DateTime(timezone=True)),
]
LOST: list[tuple[Any, Any]] = [
    (sa.Integer(), sa.SmallInteger()),
    (sa.BigInteger(), sa.Integer()),
    (sa.BigInteger(), Cents()),
    (sa.BigInteger(), sa.Double()),
    (sa.BigInteger(), sa.Numeric(18, 0)),
    (sa.Integer(), sa.Boolean()),
    (sa.Numeric(10, 2), sa.Integer()),
    (sa.Numeric(10, 0), sa.Integer()),
    (sa.Numeric(10, 4), sa.Numeric(10, 2)),
    (sa.Numeric(12, 2), sa.Numeric(10, 2)),
    (sa.Numeric(20, 2), sa.Double()),
    (sa.Double(), sa.Integer()),
    (sa.Double(), sa.Numeric(10, 2)),
    (sa.String(11), sa.String(10)),
    (sa.String(20), sa.Integer()),
    (sa.String(20), sa.Date()),
    (sa.String(20), sa.Uuid()),
    (sa.Integer(), sa.String(10)),
    (sa.Numeric(10, 2), sa.String(11)),
    (sa.DateTime(), sa.Date()),
    (sa.DateTime(), sa.Time()),
    (sa.Time(), sa.DateTime()),
    (sa.JSON(), sa.String(100)),
    (sa.Enum("a", "bb"), sa.String(1)),
    (sa.Enum("a", "b", native_enum=False), sa.Enum("a", native_enum=False)),
    (sa.String(1), sa.Enum("a", "b", native_enum=False)),
]


@pytest.mark.parametrize("dialect", [POSTGRESQL, MYSQL, SQLITE], ids=lambda it: it.name)
@pytest.mark.parametrize(("before", "after"), KEPT, ids=str)
def test_kept(before: Any, after: Any, dialect: sa.Dialect) -> None:
    assert not may_lose(before, after, dialect)


@pytest.mark.parametrize("dialect", [POSTGRESQL, MYSQL, SQLITE], ids=lambda it: it.name)
@pytest.mark.parametrize(("before", "after"), LOST, ids=str)
def test_lost(before: Any, after: Any, dialect: sa.Dialect) -> None:
    assert may_lose(before, after, dialect)


@pytest.mark.parametrize(
    ("before", "after", "dialect", "lost"),
    [
        (postgresql.TIMESTAMP(timezone=True), postgresql.TIMESTAMP(), POSTGRESQL, True),
        (postgresql.TIMESTAMP(precision=6), postgresql.TIMESTAMP(precision=3), POSTGRESQL, True),
        (postgresql.ARRAY(sa.Integer()), postgresql.ARRAY(sa.BigInteger()), POSTGRESQL, False),
        (postgresql.ARRAY(sa.BigInteger()), postgresql.ARRAY(sa.Integer()), POSTGRESQL, True),
        (postgresql.INET(), postgresql.CIDR(), POSTGRESQL, True),
        (postgresql.INET(), sa.Text(), POSTGRESQL, False),
        (postgresql.REAL(), sa.Double(), POSTGRESQL, False),
        (sa.Double(), postgresql.REAL(), POSTGRESQL, True),
        (sa.Numeric(), sa.Numeric(10, 2), POSTGRESQL, True),
        (sa.Numeric(10, 2), sa.Numeric(), POSTGRESQL, False),
        (mysql.INTEGER(unsigned=True), mysql.INTEGER(), MYSQL, True),
        (mysql.INTEGER(unsigned=True), mysql.BIGINT(), MYSQL, False),
        (mysql.INTEGER(), mysql.BIGINT(unsigned=True), MYSQL, True),
        (mysql.TINYINT(display_width=1), sa.Boolean(), MYSQL, False),
        (mysql.TINYINT(display_width=4), mysql.SMALLINT(), MYSQL, False),
        (mysql.MEDIUMTEXT(), sa.Text(), MYSQL, True),
        (sa.Text(), mysql.LONGTEXT(), MYSQL, False),
        (sa.String(100), sa.Text(), MYSQL, False),
        (mysql.DATETIME(fsp=6), sa.DateTime(), MYSQL, True),
        (sa.DateTime(), mysql.DATETIME(fsp=6), MYSQL, False),
        (mysql.VARBINARY(10), mysql.VARBINARY(20), MYSQL, False),
        (mysql.VARBINARY(20), mysql.VARBINARY(10), MYSQL, True),
    ],
)
def test_of_one_database(before: Any, after: Any, dialect: sa.Dialect, lost: bool) -> None:
    assert may_lose(before, after, dialect) is lost
