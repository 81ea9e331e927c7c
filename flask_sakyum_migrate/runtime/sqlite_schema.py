"""Asks SQLite for the SQL that it keeps of its objects, and reads it token by token.

A text that is read here was accepted by SQLite before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>[0-9][\w.]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_number = itertools.count()


@dataclass(frozen=True)
class Token:
    """A piece of SQL.

    :param text: as it stands there.
    :param kind: ``word``, ``quoted``, ``string``, ``number`` or ``other``.
    :param spaced: there is space before it.
    """

    text: str
    kind: str
    spaced: bool = False

    @property
    def word(self) -> str:
        """The keyword, in capitals; empty for everything else."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name without its quotes; empty for what is none."""
        if self.kind == "word":
            return self.text
        if self.kind in ("quoted", "string"):
            inner, end = self.text[1:-1], self.text[-1]
            return inner if end == "]" else inner.replace(end * 2, end)
        return ""

    @property
    def key(self) -> str:
        """The same for each way to write the same."""
        return self.name.lower() if self.kind in ("word", "quoted") else self.text


def tokens_of(sql: str) -> list[Token]:
    """Split SQL into its tokens, without space and comments."""
    found, spaced = [], False
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(match[0], kind, spaced))
        spaced = kind == "space"
    return found


def text_of(tokens: Sequence[Token]) -> str:
    """Join tokens again, with single spaces where there was space."""
    text = "".join(f" {one.text}" if one.spaced else one.text for one in tokens)
    return text.strip()


def quote(name: str) -> str:
    """Quote a name for SQLite."""
    return '"' + name.replace('"', '""') + '"'


def qualified(sql: str, schema: str) -> str:
    """Name the schema in a CREATE INDEX, TRIGGER or VIEW, where SQLite leaves it out."""
    words = r"\b(INDEX|TRIGGER|VIEW)\s+(IF\s+NOT\s+EXISTS\s+)?"
    place = re.search(words, sql, re.IGNORECASE)
    return f"{sql[: place.end()]}{quote(schema)}.{sql[place.end() :]}" if place else sql


def columns_in(tokens: Sequence[Token]) -> Iterator[int]:
    """Give the places of the names of columns in an expression on one table."""
    for place, token in enumerate(tokens):
        after = tokens[place + 1].text if place + 1 < len(tokens) else ""
        before = tokens[place - 1].word if place else ""
        # A function, the table before a dot, a collation, the type of a CAST.
        if token.kind in ("word", "quoted") and after not in ("(", "."):
            if before not in ("COLLATE", "AS"):
                yield place


def mentioned(tokens: Sequence[Token]) -> frozenset[str]:
    """Return the names in an expression on one table, in lower case; keywords are among them."""
    return frozenset(tokens[place].key for place in columns_in(tokens))


def renamed(tokens: Sequence[Token], renames: Mapping[str, str]) -> list[Token]:
    """Rename columns in an expression on one table.

    :param renames: old names, in lower case, and the new ones.
    """
    found = list(tokens)
    for place in columns_in(tokens):
        new = renames.get(tokens[place].key)
        if new is not None:
            found[place] = replace(tokens[place], text=quote(new), kind="quoted")
    return found


def read_index(sql: str) -> tuple[list[Token], list[Token]]:
    """Split a CREATE INDEX into what stands before its columns, and its columns and condition."""
    tokens = tokens_of(sql)
    start = next(place for place, one in enumerate(tokens) if one.text == "(")
    return tokens[:start], tokens[start:]


def update_of(sql: str) -> list[str]:
    """Return the columns of a trigger's UPDATE OF."""
    tokens = tokens_of(sql)
    for place, token in enumerate(tokens):
        if token.word == "BEGIN":
            break
        if token.word == "UPDATE" and tokens[place + 1].word == "OF":
            end = next(at for at in range(place, len(tokens)) if tokens[at].word == "ON")
            return [one.name for one in tokens[place + 2 : end] if one.text != ","]
    return []


def event_of(sql: str) -> str:
    """Return ``INSERT``, ``UPDATE`` or ``DELETE``: when a trigger fires."""
    # Its name, which may be one of these words, is the third token or stands after IF NOT EXISTS.
    events = ("INSERT", "UPDATE", "DELETE")
    return next((one.word for one in tokens_of(sql)[3:] if one.word in events), "")


def group(tokens: Sequence[Token], start: int) -> tuple[list[Token], int]:
    """Return what stands between the parenthesis at a place and its partner; the place after."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return list(tokens[start + 1 : place]), place + 1
    return list(tokens[start + 1 :]), len(tokens)


def split(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at the commas that no parenthesis encloses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


class Database:
    """Asks a SQLite database, on the driver's connection: SQLAlchemy would begin a transaction.

    :param driver: the connection of the driver.
    :param failure: what the driver raises.
    """

    def __init__(self, driver: Any, failure: type[Exception]) -> None:
        self._driver = driver
        self._failure = failure

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        """Execute a statement and return its rows."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def refusal(self, sql: str) -> str:
        """Return why SQLite refuses a statement; nothing when it does not."""
        try:
            self.ask(sql)
        except self._failure as error:
            return " ".join(str(error).split())
        return ""

    def does_not_compile(self, sql: str) -> str:
        """Return why SQLite cannot compile a statement; nothing when it can. It is not run.

        Each text is another one: drivers keep compiled statements, and those of EXPLAIN are not
        compiled anew when the schema has changed.
        """
        return self.refusal(f"EXPLAIN {sql} -- {next(_number)}")

    @contextmanager
    def trial(self, name: str = "migrate_trial") -> Iterator[None]:
        """Take back whatever is done inside."""
        self.ask(f"SAVEPOINT {name}")
        try:
            yield
        finally:
            self.ask(f"ROLLBACK TO {name}")
            self.ask(f"RELEASE {name}")

    def objects(self, schema: str, kind: str, table: str | None = None) -> dict[str, str]:
        """Return the names and the SQL of tables, indexes, triggers or views, of a table or all.

        Indexes that belong to a constraint have no SQL and are left out.
        """
        rows = self.ask(
            f"SELECT name, sql FROM {quote(schema)}.sqlite_master WHERE type = ? "  # noqa: S608
            "AND sql IS NOT NULL AND (? IS NULL OR lower(tbl_name) = lower(?)) ORDER BY rowid",
            kind,
            table,
            table,
        )
        return dict(rows)
