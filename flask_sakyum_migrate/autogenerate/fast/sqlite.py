"""What is in a SQLite database, in four queries."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from ..differences.names import Place
from ..scope.schemas import foreign_action
from .records import StoredColumn, StoredIndex, StoredKey, StoredTable, together

_TEXTS = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
_COLUMNS = """
SELECT m.name, p.name, p.type, p."notnull", p.dflt_value, p.hidden, p.pk
FROM sqlite_master m JOIN pragma_table_xinfo(m.name) p WHERE m.type = 'table'
"""
_INDEXES = """
SELECT m.name, i.name, i."unique", i.origin, i.partial, x.name, x."desc", x.coll
FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_xinfo(i.name) x
WHERE m.type = 'table' AND x."key" AND i.origin <> 'pk'
ORDER BY i.name, x.seqno
"""
_KEYS = """
SELECT m.name, f.id, f."table", f."from", f."to", f.on_update, f.on_delete
FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
ORDER BY m.name, f.id, f.seq
"""
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_NAME = r'("(?:[^"]|"")+"|\w+)'
_NAMED = re.compile(
    rf"\bCONSTRAINT\s+{_NAME}\s+(UNIQUE|FOREIGN\s+KEY)\s*\(([^()]*)\)", re.IGNORECASE
)
_UNTOLD = re.compile(
    r"--|/\*|\bDEFERR|\bVIRTUAL\s+TABLE\b|\bON\s+CONFLICT\b|"
    rf"\bCONSTRAINT\s+{_NAME}\s+(?:REFERENCES\b|UNIQUE\b(?!\s*\())",
    re.IGNORECASE,
)

Names = dict[tuple[str, str], str]
"""The names of constraints, by the first letter of what they are and their columns."""


def read(connection: sa.Connection, schemas: set[str | None]) -> dict[Place, StoredTable]:
    """Read the tables of the main database; those of attached ones are not read."""
    run = connection.exec_driver_sql
    found: dict[str, StoredTable] = {}
    names: dict[str, Names] = {}
    for name, text in run(_TEXTS):
        plain = _LITERAL.sub("''", text or "")
        untold = _UNTOLD.search(plain)
        found[name] = StoredTable(special=untold[0] if untold else "")
        names[name] = {
            (one[2][0].upper(), _columns(one[3])): _unquoted(one[1])
            for one in _NAMED.finditer(plain)
        }
    for table, name, type_, notnull, default, hidden, primary in run(_COLUMNS):
        if primary:
            found[table].primary.add(name)
        if hidden:
            found[table].special = "generated column"
        found[table].columns[name] = StoredColumn(type_.upper(), not notnull, default)
    for (table, name), rows in together((one[0], one[1:]) for one in run(_INDEXES)).items():
        _add_index(found[table], name, rows, names[table])
    for (table, _), rows in together((one[0], one[1:]) for one in run(_KEYS)).items():
        _add_key(found[table], rows, names[table], connection.dialect)
    return {(None, name): table for name, table in found.items()}


def _add_index(table: StoredTable, name: str, rows: list[Any], names: Names) -> None:
    unique, origin, partial, *_ = rows[0]
    columns = tuple(str(row[3]) for row in rows)
    if partial or any(row[3] is None or row[4] or row[5] != "BINARY" for row in rows):
        table.special = f"index {name}"
    elif origin == "u":
        table.uniques.append((names.get(("U", ",".join(columns))), columns))
    else:
        table.indexes[name] = StoredIndex(columns, bool(unique))


def _add_key(table: StoredTable, rows: list[Any], names: Names, dialect: sa.Dialect) -> None:
    targets, columns, target_columns, *rules = zip(*rows, strict=True)
    if None in target_columns:
        table.special = "foreign key to a primary key"
        return
    update, delete = (foreign_action(one[0], dialect) for one in rules)
    table.keys.append(StoredKey(columns, None, targets[0], target_columns, update, delete))
    table.key_names.append(names.get(("F", ",".join(columns))))


def _columns(text: str) -> str:
    """Return the columns of a list in the form of a key."""
    return ",".join(_unquoted(one.strip()) for one in text.split(","))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
