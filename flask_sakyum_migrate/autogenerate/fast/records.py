"""A table as the catalogue of a database has it, as far as it can be said in few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Owner = TypeVar("Owner")


class StoredColumn(NamedTuple):
    """A column, in the words of the database.

    :param default: SQL; None when it has none, or one that belongs to its type: serial.
    """

    type: str
    nullable: bool
    default: str | None
    comment: str | None = None


class StoredIndex(NamedTuple):
    """An index of columns, none of which is sorted, collated or cut in a way of its own."""

    columns: tuple[str, ...]
    unique: bool


class StoredKey(NamedTuple):
    """A foreign key.

    :param schema: of the table it points to; None is the default one.
    :param onupdate: ``CASCADE`` and the like; None where it does nothing.
    :param initially: ``DEFERRED`` or ``IMMEDIATE``.
    """

    columns: tuple[str, ...]
    schema: str | None
    table: str
    target_columns: tuple[str, ...]
    onupdate: str | None = None
    ondelete: str | None = None
    deferrable: bool = False
    initially: str = "IMMEDIATE"


@dataclass(slots=True)
class StoredTable:
    """A table of the catalogue.

    :param primary: the columns of the primary key.
    :param uniques: the columns of the unique constraints; with the name, where it has one.
    :param key_names: the names of the foreign keys.
    :param one_namespace: unique constraints are unique indexes, and among the indexes.
    :param special: what it has that these records have no words for.
    """

    columns: dict[str, StoredColumn] = field(default_factory=dict)
    primary: set[str] = field(default_factory=set)
    indexes: dict[str, StoredIndex] = field(default_factory=dict)
    uniques: list[tuple[str | None, tuple[str, ...]]] = field(default_factory=list)
    keys: list[StoredKey] = field(default_factory=list)
    key_names: list[str | None] = field(default_factory=list)
    comment: str | None = None
    one_namespace: bool = False
    special: str = ""


def together(rows: Iterable[tuple[Owner, Sequence[Any]]]) -> dict[tuple[Owner, Any], list[Any]]:
    """Put the rows of each index or foreign key together.

    :param rows: the table of each, and the row: what it is of comes first in it.
    """
    found: dict[tuple[Owner, Any], list[Any]] = {}
    for table, (name, *rest) in rows:
        found.setdefault((table, name), []).append(rest)
    return found
