"""Random tables with random rows, the same for the same seed, and what is read of them."""

from __future__ import annotations

import datetime
import decimal
import enum
import random
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

UTC = datetime.timezone.utc
ALPHABET = "abcXYZ 0189'\"\\/\t\n\r%_:;,{}[]()\x01\x1f\x7fäßéЖ中\u2028🙂$&#"


class Colour(enum.Enum):
    RED = "red"
    GREEN = "gr'een"


def _double(dice: random.Random) -> float:
    ends = [0.0, -0.0, 0.1, 1 / 3, 1e300, 5e-324, -1.7976931348623157e308, 1e16, 123456789.125]
    return dice.choice([*ends, dice.uniform(-1e6, 1e6), dice.random()])


def _moment(dice: random.Random) -> datetime.datetime:
    seconds = dice.randint(0, 8_000_000_000)
    micros = dice.choice([0, 1, 500_000, 999_999, dice.randint(0, 999_999)])
    return datetime.datetime(1800, 1, 1) + datetime.timedelta(seconds=seconds, microseconds=micros)


def _json(dice: random.Random) -> Any:
    return dice.choice(
        [
            {"a": [1, 2.5, None, "x'\\\"\n"], "ä": True},
            [],
            {},
            "text",
            12345678901234567,
            0.1,
            False,
        ]
    )


Maker = Callable[[random.Random], Any]
TYPES: dict[str, tuple[Callable[[], Any], Maker]] = {
    "integer": (sa.Integer, lambda dice: dice.randint(-(2**31), 2**31 - 1)),
    "big": (sa.BigInteger, lambda dice: dice.choice([-(2**63), 2**63 - 1, dice.getrandbits(62)])),
    "small": (sa.SmallInteger, lambda dice: dice.randint(-(2**15), 2**15 - 1)),
    "real": (sa.REAL, lambda dice: dice.choice([0.5, -1.25, 0.0, 3.0, 1024.0625])),
    "boolean": (sa.Boolean, lambda dice: dice.random() < 0.5),
    "double": (sa.Double, _double),
    "numeric": (
        lambda: sa.Numeric(12, 4),
        lambda dice: decimal.Decimal(dice.randint(-(10**12) + 1, 10**12 - 1)).scaleb(-4),
    ),
    "string": (
        lambda: sa.String(40),
        lambda dice: "".join(dice.choices(ALPHABET, k=dice.randint(0, 40))),
    ),
    "text": (sa.Text, lambda dice: "".join(dice.choices(ALPHABET, k=dice.randint(0, 300)))),
    "bytes": (sa.LargeBinary, lambda dice: dice.randbytes(dice.randint(0, 40))),
    "date": (sa.Date, lambda dice: datetime.date.fromordinal(dice.randint(400_000, 3_652_059))),
    "time": (
        lambda: sa.Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb"),
        lambda dice: _moment(dice).time(),
    ),
    "moment": (
        lambda: sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
        _moment,
    ),
    "zoned": (
        lambda: sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
        lambda dice: _moment(dice).replace(tzinfo=UTC),
    ),
    "interval": (
        sa.Interval,
        lambda dice: datetime.timedelta(seconds=dice.randint(-(10**7), 10**9)),
    ),
    "uuid": (sa.Uuid, lambda dice: uuid.UUID(int=dice.getrandbits(128), version=4)),
    "json": (sa.JSON, _json),
    "enum": (lambda: sa.Enum(Colour, name="colour"), lambda dice: dice.choice(list(Colour))),
}


def random_metadata(seed: int) -> sa.MetaData:
    """Make two to four tables: random columns, and foreign keys to any of them, itself too."""
    dice = random.Random(seed)
    metadata = sa.MetaData()
    names = [f"table {n}" if dice.random() < 0.2 else f"t{n}" for n in range(dice.randint(2, 4))]
    for name in names:
        kinds = dice.sample(list(TYPES), dice.randint(4, len(TYPES)))
        columns = [sa.Column("id", sa.Integer, primary_key=True)]
        columns += [
            sa.Column(_column(kind, dice), TYPES[kind][0](), info={"kind": kind}) for kind in kinds
        ]
        for parent in dice.sample(names, dice.randint(0, len(names))):
            key = sa.ForeignKey(
                f"{parent}.id", name=f"fk_{names.index(name)}_{names.index(parent)}", use_alter=True
            )
            columns.append(sa.Column(f"to_{names.index(parent)}", sa.Integer, key))
        sa.Table(name, metadata, *columns)
    return metadata


def _column(kind: str, dice: random.Random) -> str:
    return dice.choice([kind, f"order {kind}", f"Select_{kind}", f'{kind}"q'])


def fill(engine: sa.Engine, metadata: sa.MetaData, seed: int, count: int = 60) -> None:
    """Put random rows into the tables; their foreign keys point to any row."""
    dice = random.Random(seed)
    with engine.begin() as connection:
        for table in metadata.tables.values():
            rows = []
            for number in range(1, count + 1):
                row: dict[str, Any] = {"id": number * 3}
                for column in table.columns:
                    kind = column.info.get("kind")
                    if kind is not None:
                        row[column.key] = None if dice.random() < 0.15 else TYPES[kind][1](dice)
                        if kind == "zoned" and engine.dialect.name != "postgresql":
                            row[column.key] = row[column.key] and row[column.key].replace(
                                tzinfo=None
                            )
                rows.append(row)
            # NULL in a JSON column is NULL here, not the JSON value null.
            connection.execute(table.insert(), [_with_nulls(table, row) for row in rows])
        for table in metadata.tables.values():
            for column in table.columns:
                if column.foreign_keys:
                    for number in range(1, count + 1):
                        value = None if dice.random() < 0.2 else dice.randint(1, count) * 3
                        where = table.c.id == number * 3
                        connection.execute(table.update().where(where).values({column: value}))


def _with_nulls(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: sa.null() if value is None and isinstance(table.c[key].type, sa.JSON) else value
        for key, value in row.items()
    }


def contents(engine: sa.Engine, metadata: sa.MetaData) -> dict[str, list[tuple[Any, ...]]]:
    """Read all tables as an application does; what has a zone is in UTC."""
    with engine.connect() as connection:
        return {
            table.name: [
                tuple(map(_plain, row))
                for row in connection.execute(table.select().order_by(table.c.id))
            ]
            for table in metadata.tables.values()
        }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return repr(value) if isinstance(value, float) else value


def without_negative_zero(
    found: dict[str, list[tuple[Any, ...]]],
) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a database has that keeps -0.0 as 0.0: SQLite, MySQL, MariaDB."""
    return {
        name: [tuple("0.0" if value == "-0.0" else value for value in row) for row in rows]
        for name, rows in found.items()
    }
