"""Statements on the driver's connection: SQLAlchemy's events and transactions do not see them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


class Driver:
    """The connection of the driver below SQLAlchemy's.

    :param connection: SQLAlchemy's.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect
        dbapi: Any = connection.dialect.dbapi
        self.error: type[Exception] = dbapi.Error
        """What the driver raises."""

    @property
    def _raw(self) -> Any:
        return self._connection.connection.dbapi_connection

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute a statement whose parameters are written as ``?``; return its rows."""
        cursor = self._raw.cursor()
        try:
            cursor.execute(self._with_marks(statement), parameters)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def value(self, statement: str, *parameters: Any) -> Any:
        """Execute a statement; return the first value it gives, or None."""
        rows = self.rows(statement, *parameters)
        return rows[0][0] if rows else None

    def commit(self) -> None:
        """Commit what the driver has open, without telling SQLAlchemy."""
        self._raw.commit()

    @property
    def is_autocommit(self) -> bool:
        """Each statement commits by itself: ``autocommit_block()``, ``--transaction none``."""
        level = self._connection.get_execution_options().get("isolation_level")
        if level is not None or self.dialect.name == "sqlite":
            return bool(level == "AUTOCOMMIT")
        raw = self._raw  # the engine may have been made with isolation_level="AUTOCOMMIT"
        if hasattr(raw, "get_autocommit"):
            return bool(raw.get_autocommit())
        return getattr(raw, "autocommit", False) is True

    def is_gone(self, error: BaseException) -> bool:
        """Tell whether an error of the driver means that the server is not there any more."""
        return not isinstance(error, self.error) or self.dialect.is_disconnect(
            error,  # type: ignore[arg-type]
            self._raw,
            None,
        )

    def _with_marks(self, statement: str) -> str:
        style = self.dialect.paramstyle
        if style == "qmark":
            return statement
        if style not in ("numeric", "numeric_dollar"):
            return statement.replace("?", "%s")
        head, *rest = statement.split("?")
        sign = "$" if style == "numeric_dollar" else ":"
        return head + "".join(f"{sign}{number}{one}" for number, one in enumerate(rest, 1))


def error_code(error: BaseException | None) -> int | None:
    """Return the number that MySQL or MariaDB gave for an error or what it was raised from."""
    while error is not None:
        original = getattr(error, "orig", None) or error
        for code in (getattr(original, "errno", None), *original.args[:1]):
            if isinstance(code, int):
                return code
        error = error.__cause__
    return None
