"""Random models, and what becomes of them in one revision: pairs for the tests.

A state is plain data, so that one that fails can be printed. What a comparison cannot decide is not
in it: no rename, and a column that may not be NULL has a default in the model; a foreign key that
may not be NULL refers to a table that had rows before.
"""

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

ROWS = 3

NUMBERS: dict[str, Callable[[], Any]] = {
    "small": sa.SmallInteger,
    "integer": sa.Integer,
    "big": sa.BigInteger,
    "numeric": lambda: sa.Numeric(12, 2),
    "string": lambda: sa.String(20),
    "longer": lambda: sa.String(60),
    "text": sa.Text,
}
"""Types that a column may change between: the values are numbers in all of them."""
OTHERS: dict[str, Callable[[], Any]] = {
    "boolean": sa.Boolean,
    "date": sa.Date,
    "datetime": sa.DateTime,
    "json": sa.JSON,
    "double": sa.Double,
}
COUNTED = ("small", "integer", "numeric")
TEXTS = ("string", "longer", "text")


@dataclass(frozen=True)
class Column:
    """A column, but not the ``id``.

    :param kind: its type; ``enum`` has labels.
    :param refers: the table that a foreign key points to; where its key has two columns, there is
        a second column beside this one.
    :param default: whether the database has a default.
    :param check: the value that a CHECK forbids; 0 where there is none.
    :param computed: for a column that the database computes: from which one, and times what.
    """

    name: str
    kind: str
    nullable: bool = True
    default: bool = False
    index: bool = False
    unique: bool = False
    refers: str | None = None
    has_key: bool = True
    cascades: bool = False
    check: int = 0
    computed: tuple[str, int] | None = None
    labels: tuple[str, ...] = ()
    comment: str | None = None


class Pair(NamedTuple):
    """Two columns together.

    :param kind: ``constraint``, ``unique`` for an index, or ``index``.
    """

    names: tuple[str, str]
    kind: str


@dataclass
class State:
    """The tables of an application by name.

    :param convention: whether its constraints have names.
    :param pairs: two columns of a table that are unique together, or in one index.
    :param two: the tables whose primary key has two columns.
    """

    convention: bool
    tables: dict[str, dict[str, Column]] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    two: set[str] = field(default_factory=set)

    def names(self, table: str) -> list[str]:
        """Return the names of the columns of a table, but not of its primary key."""
        found = self.tables[table].values()
        return [name for one in found for name in self.parts(one)]

    def parts(self, one: Column) -> list[str]:
        """Return the names of the columns that a column is: two, where it refers to two."""
        return [one.name, f"{one.name}_part"] if one.refers in self.two else [one.name]

    def define(self, db: Any) -> None:
        """Define the tables: ``models`` of a project."""
        if self.convention:
            db.metadata.naming_convention = {
                "ix": "ix_%(column_0_label)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        db.Table("always", sa.Column("id", sa.Integer, primary_key=True))
        for name, columns in self.tables.items():
            part = [sa.Column("part", sa.Integer, primary_key=True)] if name in self.two else []
            db.Table(
                name,
                sa.Column("id", sa.Integer, primary_key=True, autoincrement=not part),
                *part,
                *(item for one in columns.values() for item in self._items(name, one)),
                *self._pair(name),
            )

    def _pair(self, table: str) -> list[Any]:
        pair = self.pairs.get(table)
        found = [self.tables[table].get(name) for name in pair.names] if pair else []
        if pair is None or not all(one and _in_a_key(one) for one in found):
            return []
        if pair.kind == "constraint":
            return [sa.UniqueConstraint(*pair.names)]
        return [sa.Index(f"pair_of_{table}", *pair.names, unique=pair.kind == "unique")]

    def _items(self, table: str, one: Column) -> Iterator[Any]:
        """Give a column, and what belongs to it."""
        names = self.parts(one)
        deleting = "CASCADE" if one.cascades else None
        has_key = one.refers and one.has_key
        alone = has_key and len(names) == 1
        yield _column(
            table, one, *([sa.ForeignKey(f"{one.refers}.id", ondelete=deleting)] if alone else [])
        )
        if one.check and has_check(one):
            # Numbers and texts alike: the type may change.
            yield sa.CheckConstraint(f"{one.name} <> '{-one.check}'", name=f"ck_{table}_{one.name}")
        if len(names) == 2:
            yield _column(table, replace(one, name=names[1], index=False))
            if has_key:
                there = [f"{one.refers}.id", f"{one.refers}.part"]
                yield sa.ForeignKeyConstraint(names, there, ondelete=deleting)


def _column(table: str, one: Column, *more: Any) -> sa.Column[Any]:
    type_ = sa.Integer() if one.refers else _type(table, one)
    return sa.Column(
        one.name,
        type_,
        *more,
        *(
            [sa.Computed(f"{one.computed[0]} * {one.computed[1]}", persisted=True)]
            if one.computed
            else []
        ),
        nullable=one.nullable,
        index=one.index or None,
        unique=one.unique or None,
        default=None if one.nullable else value(one, 1 if one.refers else 9),
        server_default=_server_default(one) if one.default else None,
        comment=one.comment,
    )


def has_check(one: Column) -> bool:
    """Tell whether a column is one that a CHECK can be about."""
    return one.kind in NUMBERS and not one.refers


def _in_a_key(one: Column) -> bool:
    return one.kind in NUMBERS and one.kind != "text"


def _type(table: str, one: Column) -> Any:
    if one.kind == "enum":
        return sa.Enum(*one.labels, name=f"{table}_{one.name}")
    return {**NUMBERS, **OTHERS}[one.kind]()


def value(one: Column, number: int) -> Any:
    """Return a value for a column, another one for each number where there are others."""
    if one.kind in NUMBERS:
        return str(number) if one.kind in TEXTS else number
    values: dict[str, Any] = {
        "boolean": number % 2 == 0,
        "date": datetime.date(2026, 1, number),
        "datetime": datetime.datetime(2026, 1, number, 12),
        "json": {"n": number},
        "double": number + 0.5,
        "enum": one.labels[0] if one.labels else None,
    }
    return values[one.kind]


def _server_default(one: Column) -> Any:
    if one.kind == "boolean":
        return sa.true()
    return "red" if one.kind == "enum" else "7"


def first(chance: random.Random) -> State:
    """Return a random state."""
    state = State(chance.random() < 0.5)
    names = ["user", "team", "order", "Mixed Case"][: chance.randint(1, 4)]
    for name in names:
        state.tables[name] = {}
        for at in range(chance.randint(1, 5)):
            add_column(chance, state, name, f"c{at}")
        if chance.random() < 0.5:
            _pair(chance, state, state, 0)
    state.two = {name for name in names if chance.random() < 0.3}
    _settle(state, state)
    return state


def second(chance: random.Random, before: State) -> State:
    """Return what becomes of a state."""
    after = copy.deepcopy(before)
    for number in range(chance.randint(1, 6)):
        chance.choice(STEPS)(chance, after, before, number)
    for _ in range(chance.randint(0, 3)):  # several changes of one column
        found = _any(chance, after)
        if found is None:
            break
        table, one = found
        for edit in chance.sample(EDITS, 4):
            one = edit(chance, one) or one
        after.tables[table][one.name] = one
    _settle(after, before)
    return after


def _settle(state: State, before: State) -> None:
    """Take back what no application could have."""
    for columns in state.tables.values():
        for one in list(columns.values()):
            if one.refers not in (None, "always", *before.tables):
                columns[one.name] = replace(one, nullable=True)  # to a table without rows
            if one.computed:
                used = columns.get(one.computed[0])
                if used is None or used.kind not in COUNTED:
                    columns.pop(one.name)


def add_column(chance: random.Random, state: State, table: str, name: str) -> None:
    kind = chance.choice([*NUMBERS, *OTHERS, "enum", "key", "key", "computed"])
    there = [
        one.name
        for one in state.tables[table].values()
        if one.kind in COUNTED and not one.refers and not one.computed
    ]
    if kind == "key":
        refers = chance.choice(["always", *state.tables])
        index, nullable = chance.random() < 0.4, chance.random() < 0.6
        one = Column(name, "integer", refers=refers, index=index, nullable=nullable)
    elif kind == "computed" and there:
        computed = chance.choice(there), 2
        one = Column(name, "numeric", computed=computed, index=chance.random() < 0.2)
    else:
        one = Column(
            name,
            kind.replace("computed", "numeric"),
            nullable=chance.random() < 0.5,
            labels=("red", "green") if kind == "enum" else (),
            comment="it's 5% :x" if chance.random() < 0.1 else None,
        )
        one = replace(
            one,
            default=kind in (*NUMBERS, "boolean", "enum")
            and kind != "text"
            and chance.random() < 0.3,
            index=kind not in ("text", "json") and chance.random() < 0.2,
        )
        if has_check(one) and chance.random() < 0.2:
            one = replace(one, check=1)
        if kind in NUMBERS and kind != "text" and chance.random() < 0.2:
            one = replace(one, unique=True, nullable=True, index=False, default=False)
    state.tables[table][name] = one


def _pair(chance: random.Random, after: State, before: State, number: int) -> None:
    """Make two columns unique together, or not any more."""
    if not after.tables:
        return
    name = chance.choice(list(after.tables))
    # What is new has the same value in all rows.
    old = [one for one in after.tables[name] if one in before.tables.get(name, ())]
    if name in after.pairs:
        after.pairs.pop(name)
    elif len(old) > 1:
        one, other = chance.sample(old, 2)
        after.pairs[name] = Pair((one, other), chance.choice(["constraint", "unique", "index"]))


def _any(chance: random.Random, state: State) -> tuple[str, Column] | None:
    found = [(table, one) for table, columns in state.tables.items() for one in columns.values()]
    return chance.choice(found) if found else None


def _add(chance: random.Random, after: State, before: State, number: int) -> None:
    if after.tables:
        add_column(chance, after, chance.choice(list(after.tables)), f"new{number}")


def _drop(chance: random.Random, after: State, before: State, number: int) -> None:
    found = _any(chance, after)
    if found:
        table, one = found
        after.tables[table].pop(one.name)


def _add_table(chance: random.Random, after: State, before: State, number: int) -> None:
    name = f"made{number}"
    after.tables[name] = {}
    for at in range(chance.randint(0, 3)):
        add_column(chance, after, name, f"c{at}")


def _drop_table(chance: random.Random, after: State, before: State, number: int) -> None:
    if not after.tables:
        return
    name = chance.choice(list(after.tables))
    after.tables.pop(name)
    after.pairs.pop(name, None)
    for columns in after.tables.values():
        for one in list(columns.values()):
            if one.refers == name:
                columns.pop(one.name)


def _change(edit: Callable[[random.Random, Column], Column | None]) -> Callable[..., None]:
    def step(chance: random.Random, after: State, before: State, number: int) -> None:
        found = _any(chance, after)
        changed = edit(chance, found[1]) if found else None
        if found and changed is not None:
            after.tables[found[0]][changed.name] = changed

    return step


def _retype(chance: random.Random, one: Column) -> Column | None:
    if one.kind not in NUMBERS or one.refers or one.computed:
        return None
    kinds = [kind for kind in NUMBERS if kind != "text" or not (one.index or one.unique)]
    kind = chance.choice(kinds)
    return replace(one, kind=kind, default=one.default and kind != "text")


def _nullable(chance: random.Random, one: Column) -> Column | None:
    if one.unique or one.computed:
        return None
    return replace(one, nullable=not one.nullable)


def _default(chance: random.Random, one: Column) -> Column | None:
    if one.refers or one.unique or one.kind not in (*NUMBERS, "boolean", "enum"):
        return None
    if one.computed:
        return None
    return None if one.kind == "text" else replace(one, default=not one.default)


def _index(chance: random.Random, one: Column) -> Column | None:
    return None if one.kind in ("text", "json") or one.unique else replace(one, index=not one.index)


def _unique(chance: random.Random, one: Column) -> Column | None:
    if one.unique:
        return replace(one, unique=False)
    if not _in_a_key(one) or one.refers or not one.nullable or one.index or one.computed:
        return None
    return replace(one, unique=True)


def _key(chance: random.Random, one: Column) -> Column | None:
    return replace(one, has_key=not one.has_key) if one.refers else None


def _cascade(chance: random.Random, one: Column) -> Column | None:
    return replace(one, cascades=not one.cascades) if one.refers else None


def _factor(chance: random.Random, one: Column) -> Column | None:
    return replace(one, computed=(one.computed[0], 3)) if one.computed else None


def _check(chance: random.Random, one: Column) -> Column | None:
    return replace(one, check=chance.randint(0, 3)) if has_check(one) else None


def _labels(chance: random.Random, one: Column) -> Column | None:
    return replace(one, labels=("red", "blue", "green")) if one.kind == "enum" else None


EDITS = [_retype, _nullable, _default, _index, _unique, _key, _cascade, _labels, _factor, _check]
STEPS = [
    *(_add, _add, _drop, _drop, _add_table, _drop_table, _pair),
    *map(_change, [*EDITS, _retype, _nullable]),
]
