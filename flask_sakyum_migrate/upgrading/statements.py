"""The statements of a run, between SQLAlchemy and the driver: to execute, to leave out, to repeat.

SQLAlchemy's dialect events are the one place where a statement can be left out: those of the
connection can only change it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

_MARKS = r"|%\((\w+)\)s|%s|%%|\?"
_STANDARD = re.compile(r"'(?:[^']|'')*'" + _MARKS)
_BACKSLASHES = re.compile(r"'(?:[^'\\]|\\.|'')*'" + _MARKS, re.S)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PREVIEW = 300  # characters of the parameters that a person is shown
_LONGEST = 10_000  # characters of a statement that a person is shown


@dataclass
class Statement:
    """A statement that is about to be executed.

    :param cursor: the driver's.
    :param text: as the driver gets it.
    :param parameters: one set, or a list of them when ``many``; None for no parameters at all.
    :param context: SQLAlchemy's.
    """

    cursor: Any
    text: str
    parameters: Any
    context: Any
    many: bool = False

    def execute(self) -> None:
        """Let the dialect execute it."""
        dialect = self.context.dialect
        if self.parameters is None:
            dialect.do_execute_no_params(self.cursor, self.text, self.context)
        elif self.many:
            dialect.do_executemany(self.cursor, self.text, self.parameters, self.context)
        else:
            dialect.do_execute(self.cursor, self.text, self.parameters, self.context)

    def leave_out(self, rowcount: int | None, lastrowid: int | None) -> None:
        """Do not execute it: its result has no rows, and these numbers.

        :param rowcount: how many rows it changed when it ran; None: that is not known.
        :param lastrowid: what the driver had then.
        """
        compiled = self.context.compiled
        columns = getattr(compiled, "implicit_returning", None) or ()
        description = [(one.name, None, None, None, None, None, None) for one in columns] or None
        self.context.cursor = _LeftOut(
            self.cursor, description, -1 if rowcount is None else rowcount, lastrowid
        )

    @property
    def gives_rows(self) -> bool:
        """Tell whether somebody waits for the rows that a change gives back: RETURNING."""
        compiled = self.context.compiled
        if compiled is None or not getattr(compiled, "effective_returning", None):
            return False
        return bool(self.many or self.context.executemany or not compiled.implicit_returning)

    @property
    def digest(self) -> str:
        """A hash of the text and the parameters; other ones give another."""
        return hashlib.sha256(f"{self.text}\0{self._canonical}".encode()).hexdigest()

    @property
    def readable(self) -> str:
        """The statement for a person, its parameters as a comment."""
        text = self.text.strip()
        if not self.parameters:
            text = text.replace("%%", "%") if self._doubles_percents else text
            return _shorten(text, _LONGEST)
        return f"{_shorten(text, _LONGEST)}  -- {_shorten(self._canonical, _PREVIEW)}"

    def as_sql(self) -> list[str]:
        """Write it without parameters, one statement for each set of them."""
        sets = self.parameters if self.many else [self.parameters]
        return [self._with_literals(one) for one in sets]

    @cached_property
    def _canonical(self) -> str:
        """The parameters as a text that is the same in the next run, where they are."""
        return _ADDRESS.sub("", repr(self.parameters)) if self.parameters else ""

    @property
    def _doubles_percents(self) -> bool:
        return self.context.dialect.paramstyle in ("format", "pyformat")

    def _with_literals(self, parameters: Any) -> str:
        positions = iter(parameters if isinstance(parameters, (tuple, list)) else ())

        def written(match: re.Match[str]) -> str:
            mark = match[0]
            if mark.startswith("'"):
                return mark.replace("%%", "%") if self._doubles_percents else mark
            if mark == "%%":
                return "%" if self._doubles_percents else mark
            if mark == "?" and self.context.dialect.paramstyle != "qmark":
                return mark
            if match[1]:
                return self._literal(parameters[match[1]])
            value = next(positions, _NOTHING)
            return mark if value is _NOTHING else self._literal(value)

        mysql = self.context.dialect.name in ("mysql", "mariadb")
        return (_BACKSLASHES if mysql else _STANDARD).sub(written, self.text.strip())

    def _literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bytes):
            postgresql = self.context.dialect.name == "postgresql"
            return f"'\\x{value.hex()}'" if postgresql else f"x'{value.hex()}'"
        try:
            compiled = sa.literal(value).compile(
                dialect=self.context.dialect, compile_kwargs={"literal_binds": True}
            )
            text = str(compiled)
        except (sa.exc.CompileError, NotImplementedError):  # a type that has no literal
            return f"/* {type(value).__name__} */ {value!r}"
        return text.replace("%%", "%") if self._doubles_percents else text


_NOTHING = object()


class _LeftOut:
    """Stands for the cursor of a statement that was not executed."""

    def __init__(self, cursor: Any, description: Any, rowcount: int, lastrowid: int | None) -> None:
        self._cursor = cursor
        self.description = description
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def fetchall(self) -> list[Any]:
        return []

    def fetchone(self) -> None:
        return None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _shorten(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ... ({len(text)} characters)"


# ---- who sees the statements of a connection -------------------------------------------------

Handler = Callable[[Statement, Callable[[], None]], None]
"""Takes a statement, and the function that goes on with it."""

_handlers: WeakKeyDictionary[sa.Connection, list[Handler]] = WeakKeyDictionary()


@contextmanager
def intercepting(
    connection: sa.Connection, handler: Handler, *, outermost: bool = False
) -> Iterator[None]:
    """Have every statement of a connection go through a handler while inside.

    :param outermost: before the handlers that are there already; else after them.
    """
    handlers = _handlers.setdefault(connection, [])
    first = not handlers
    handlers.insert(0 if outermost else len(handlers), handler)
    if first:
        events = _Events(connection)
        events.listen()
    try:
        yield
    finally:
        handlers.remove(handler)
        if first:
            events.remove()


class _Events:
    """SQLAlchemy's events for one connection; they come for all of its engine."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._engine = connection.engine
        self._listeners: dict[str, Callable[..., bool | None]] = {
            "do_execute": self._one,
            "do_executemany": self._many,
            "do_execute_no_params": self._without,
        }

    def listen(self) -> None:
        for name, function in self._listeners.items():
            sa.event.listen(self._engine, name, function)

    def remove(self) -> None:
        for name, function in self._listeners.items():
            sa.event.remove(self._engine, name, function)

    def _one(self, cursor: Any, text: str, parameters: Any, context: Any) -> bool | None:
        return self._handle(Statement(cursor, text, parameters, context))

    def _many(self, cursor: Any, text: str, parameters: Any, context: Any) -> bool | None:
        return self._handle(Statement(cursor, text, parameters, context, many=True))

    def _without(self, cursor: Any, text: str, context: Any) -> bool | None:
        return self._handle(Statement(cursor, text, None, context))

    def _handle(self, statement: Statement) -> bool | None:
        """Execute a statement of the connection; None leaves it to SQLAlchemy."""
        context = statement.context
        if context is None or context.root_connection is not self._connection:
            return None
        proceed = statement.execute
        for handler in reversed(_handlers.get(self._connection, ())):
            proceed = _bind(handler, statement, proceed)
        proceed()
        return True


def _bind(
    handler: Handler, statement: Statement, proceed: Callable[[], None]
) -> Callable[[], None]:
    return lambda: handler(statement, proceed)
