"""What a dump says about itself: in its first line, and the counts in its last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..binds import DEFAULT
from ..errors import DataError

FORMAT = 1
_NAME = "flask_sakyum_migrate"


@dataclass(frozen=True)
class DumpedColumn:
    """A column as the manifest has it.

    :param name: its name.
    :param kind: what its values are, whatever the database calls the type: ``decimal``.
    :param type: what the database calls the type.
    """

    name: str
    kind: str
    type: str


@dataclass(frozen=True)
class DumpedTable:
    """A table as the manifest has it.

    :param name: its name, with the schema where it is not the default one.
    :param columns: in the order of the values of a row.
    """

    name: str
    columns: tuple[DumpedColumn, ...]


@dataclass(frozen=True)
class DumpedDatabase:
    """One database of a dump.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param dialect: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``.
    :param heads: the revisions it was at; None when it had no version table.
    :param tables: in the order of their rows.
    """

    bind: str
    dialect: str
    heads: tuple[str, ...] | None
    tables: tuple[DumpedTable, ...]

    def label(self, table: str) -> str:
        """Return what the rows of a table begin with: its name, and the bind where there is one."""
        return table if DEFAULT in self.bind.split("+") else f"{self.bind}:{table}"


@dataclass(frozen=True)
class Manifest:
    """What a dump says about itself.

    :param databases: one for each database.
    :param format: the version of the format.
    :param rows: how many rows each table has; filled in when all were seen.
    """

    databases: tuple[DumpedDatabase, ...]
    format: int = FORMAT
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self.rows.values())

    def counted(self, rows: Mapping[str, int]) -> Manifest:
        """Return the same with the numbers of rows."""
        return replace(self, rows=dict(rows))

    def first_line(self) -> bytes:
        """Return the line that a dump begins with."""
        databases = [asdict(one) for one in self.databases]
        return _line({_NAME: "dump", "format": self.format, "databases": databases})

    def last_line(self) -> bytes:
        """Return the line that a dump ends with: without it, a file is not whole."""
        return _line({"rows": self.rows})


def read_manifest(line: bytes, name: str) -> Manifest:
    """Read the first line of a dump.

    :param name: of the file, for messages.
    :raises DataError: it is not one, or of a format that is not known.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get(_NAME) != "dump":
        raise DataError(
            f"{name} is not a dump: its first line is not the manifest of one.",
            "Make one with:  flask db dump FILE",
        )
    if found.get("format") != FORMAT:
        raise DataError(
            f"{name} has format {found.get('format')!r}, and this version of "
            f"flask-sakyum-migrate reads format {FORMAT}.",
            "Load it with the version that made it, or a newer one:  "
            "pip install -U flask-sakyum-migrate",
        )
    try:
        return Manifest(tuple(_database(one) for one in found["databases"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name} has a manifest that is not whole: {error}.") from error


def _database(found: Any) -> DumpedDatabase:
    heads = found["heads"]
    tables = tuple(
        DumpedTable(
            _text(table["name"]),
            tuple(
                DumpedColumn(_text(one["name"]), _text(one["kind"]), _text(one["type"]))
                for one in table["columns"]
            ),
        )
        for table in found["tables"]
    )
    rows = None if heads is None else tuple(_text(one) for one in heads)
    return DumpedDatabase(_text(found["bind"]), _text(found["dialect"]), rows, tables)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
