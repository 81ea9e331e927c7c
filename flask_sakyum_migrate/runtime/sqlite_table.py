"""Reads what a CREATE TABLE of SQLite says: what a reflected table does not know of.

SQLite keeps the text and has no catalogue of what it says. The grammar is that of
https://sqlite.org/lang_createtable.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .sqlite_schema import Token, group, mentioned, quote, renamed, split, text_of, tokens_of

_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(frozen=True)
class Clause:
    """Something that a CREATE TABLE says beside the names and types of its columns.

    :param kind: ``CHECK``, ``UNIQUE``, ``COLLATE``, ``UNIQUE ON CONFLICT``, ...
    :param text: it, as a person reads it.
    :param key: the same for each way to write the same.
    :param column: the column it stands at; empty for what is said of the table.
    :param columns: the columns of a UNIQUE, a primary or a foreign key.
    :param mentions: the columns it would be nothing without, in lower case, as they were called
        before they were renamed.
    :param value: the expression, the collation, the action on a conflict.
    :param name: the name of the constraint.
    :param options: of a foreign key, by the names of SQLAlchemy's arguments.
    """

    kind: str
    text: str
    key: tuple[str, ...] = ()
    column: str = ""
    columns: tuple[str, ...] = ()
    mentions: frozenset[str] = frozenset()
    value: str = ""
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def label(self, table: str) -> str:
        """Return it as ``may_lose`` of a revision names it."""
        return f"{table}.{self.column}: {self.text}" if self.column else f"{table}: {self.text}"

    @property
    def identity(self) -> tuple[str, tuple[str, ...], str]:
        """What makes it equal to another one."""
        return (self.kind, self.key, self.column.lower())


def read_table(sql: str, renames: Mapping[str, str] | None = None) -> list[Clause]:
    """Read what a CREATE TABLE says.

    :param renames: columns that get another name: the old ones, in lower case, and the new ones.
    """
    tokens = tokens_of(sql)
    if tokens[1].word == "VIRTUAL":
        using = next(place for place, one in enumerate(tokens) if one.word == "USING")
        name = tokens[using + 1].name
        return [Clause("VIRTUAL TABLE", f"VIRTUAL TABLE USING {name}", (name.lower(),))]
    start = next(place for place, one in enumerate(tokens) if one.text == "(")
    body, end = group(tokens, start)
    found = [
        clause for part in split(body) for clause in _Definition(part, dict(renames or {})).read()
    ]
    words = [one.word for one in tokens[end:]]
    if "STRICT" in words:
        found.append(Clause("STRICT", "STRICT"))
    if "WITHOUT" in words:
        found.append(Clause("WITHOUT ROWID", "WITHOUT ROWID"))
    return found


class _Definition:
    """Reads the definition of a column, or a constraint of the table, from left to right."""

    def __init__(self, tokens: Sequence[Token], renames: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._renames = renames
        self._old = self._column = ""
        # The constraint that ON CONFLICT and the name before it belong to.
        self._name = self._last = ""
        self._columns: tuple[str, ...] = ()
        self._mentions: frozenset[str] = frozenset()
        self._ways: dict[str, Callable[[], Clause | None]] = {
            "CONSTRAINT": self._constraint,
            "CHECK": self._check,
            "UNIQUE": self._unique,
            "PRIMARY": self._primary,
            "AUTOINCREMENT": self._autoincrement,
            "NOT": self._not_null,
            "ON": self._on_conflict,
            "COLLATE": self._collate,
            "DEFAULT": self._default,
            "AS": self._generated,
            "FOREIGN": self._foreign,
            "REFERENCES": self._references,
        }

    def read(self) -> Iterator[Clause]:
        """Give what it says."""
        if self._tokens[0].word not in _TABLE_CONSTRAINTS:
            self._old = self._tokens[0].name.lower()
            self._column = self._renames.get(self._old, self._tokens[0].name)
            self._columns, self._mentions = (self._column,), frozenset({self._old})
            self._place = 1
            yield self._at_column("column", "column")
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            if token.text == "(":  # VARCHAR(50)
                self._group()
                continue
            self._place += 1
            way = self._ways.get(token.word)
            clause = way() if way is not None else None
            if clause is not None:
                yield clause

    # ---- moving on

    def _next(self, ahead: int = 0) -> Token:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("", "other")

    def _take(self) -> Token:
        self._place += 1
        return self._next(-1)

    def _takes(self, *words: str) -> bool:
        """Step over words, if they come next."""
        if any(self._next(ahead).word != word for ahead, word in enumerate(words)):
            return False
        self._place += len(words)
        return True

    def _group(self) -> list[Token]:
        body, self._place = group(self._tokens, self._place)
        return body

    def _key_columns(self) -> list[Token]:
        """Read the columns of a key; without any, it is about the column it stands at."""
        if self._next().text != "(":
            self._columns, self._mentions = (self._column,), frozenset({self._old})
            return [Token(quote(self._column), "quoted")]
        body = self._group()
        new = renamed(body, self._renames)
        self._columns = tuple(one[0].name for one in split(new))
        self._mentions = frozenset(one[0].name.lower() for one in split(body))
        return new

    # ---- what there is to say

    def _at_column(self, kind: str, text: str, *key: str, value: str = "") -> Clause:
        mentions = frozenset({self._old} if self._old else ())
        return Clause(kind, text, key, self._column, (), mentions, value)

    def _at_table(self, kind: str, text: str, *key: str, value: str = "") -> Clause:
        name, self._name = self._name, ""
        return Clause(kind, text, key, "", self._columns, self._mentions, value, name)

    def _constraint(self) -> None:
        self._name = self._take().name

    def _check(self) -> Clause:
        body = self._group()
        new = renamed(body, self._renames)
        self._last, value = "", text_of(new)
        clause = self._at_table("CHECK", f"CHECK ({value})", *(one.key for one in new), value=value)
        return replace(clause, columns=(), mentions=mentioned(body))

    def _unique(self) -> Clause:
        new = self._key_columns()
        written = ", ".join(
            " ".join([one[0].name, *(token.text for token in one[1:])]) for one in split(new)
        )
        self._last = f"UNIQUE ({written})"
        return self._at_table("UNIQUE", self._last, *(one.key for one in new))

    def _primary(self) -> Clause | None:
        self._takes("KEY")
        new = self._key_columns()
        self._last, self._name = "PRIMARY KEY", ""
        return self._autoincrement() if any(one.word == "AUTOINCREMENT" for one in new) else None

    def _autoincrement(self) -> Clause:
        return self._at_table("AUTOINCREMENT", "AUTOINCREMENT")

    def _not_null(self) -> None:
        self._takes("NULL")
        self._last, self._name = "NOT NULL", ""

    def _on_conflict(self) -> Clause | None:
        if not self._takes("CONFLICT"):
            return None
        action = self._take().word
        # Of a CHECK it means nothing, and ABORT is what is done without it.
        if not self._last or action == "ABORT":
            return None
        kind, text = self._last.partition(" (")[0], f"{self._last} ON CONFLICT {action}"
        if kind == "NOT NULL":
            return self._at_column(f"{kind} ON CONFLICT", text, action, value=action)
        key = sorted(one.lower() for one in self._columns)
        return self._at_table(f"{kind} ON CONFLICT", text, action, *key, value=action)

    def _collate(self) -> Clause | None:
        value = self._take().name.upper()
        if value == "BINARY":  # as without it
            return None
        return self._at_column("COLLATE", f"COLLATE {value}", value, value=value)

    def _default(self) -> Clause:
        if self._next().text == "(":
            body = self._group()
        else:
            signed = self._next().text in ("+", "-")
            body = [self._take() for _ in range(2 if signed else 1)]
        value = text_of(body)
        # 5 and (5) are the same: only that there is one counts.
        return self._at_column("DEFAULT", f"DEFAULT {value}", value=value)

    def _generated(self) -> Clause:
        body = renamed(self._group(), self._renames)
        how = "STORED" if self._takes("STORED") else "VIRTUAL"
        value = text_of(body)
        text = f"GENERATED ALWAYS AS ({value}) {how}"
        return self._at_column("GENERATED", text, *(one.key for one in body), how, value=value)

    def _foreign(self) -> None:
        self._takes("KEY")
        self._key_columns()

    def _references(self) -> Clause | None:
        self._take()
        if self._next().text == "(":
            self._group()
        if self._column:
            self._columns, self._mentions = (self._column,), frozenset({self._old})
        options = self._options()
        if not options:
            self._name = ""
            return None
        words = " ".join(_WORDS[name].format(value) for name, value in options.items())
        key = sorted(one.lower() for one in self._columns)
        text = f"FOREIGN KEY ({', '.join(self._columns)}) {words}"
        return replace(self._at_table("FOREIGN KEY", text, *key, words), options=options)

    def _options(self) -> dict[str, str]:
        """Read what a foreign key does, in the order of `_WORDS`."""
        found: dict[str, str] = {}
        while True:
            if self._takes("ON", "DELETE"):
                found["ondelete"] = self._action()
            elif self._takes("ON", "UPDATE"):
                found["onupdate"] = self._action()
            elif self._takes("MATCH"):
                self._take()  # SQLite reads it and does as if it were MATCH SIMPLE
            elif self._takes("NOT", "DEFERRABLE"):
                self._takes("INITIALLY") and self._take()
            elif self._takes("DEFERRABLE"):
                if self._takes("INITIALLY") and self._take().word == "DEFERRED":
                    found["initially"] = "DEFERRED"
            else:
                break
        return {name: found[name] for name in _WORDS if found.get(name, "NO ACTION") != "NO ACTION"}

    def _action(self) -> str:
        word = self._take().word
        return f"{word} {self._take().word}" if word in ("SET", "NO") else word


# Without INITIALLY DEFERRED, a foreign key that is DEFERRABLE is checked at once all the same.
_WORDS = {
    "ondelete": "ON DELETE {}",
    "onupdate": "ON UPDATE {}",
    "initially": "DEFERRABLE INITIALLY {}",
}
