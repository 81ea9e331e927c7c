"""The errors a person sees: what is wrong, and the command or setting that mends it."""

from __future__ import annotations

from typing import Any


class MigrateError(Exception):
    """Base of every error this package raises on purpose.

    :param message: what is wrong, in one or two sentences.
    :param hint: what to type or set next; printed on lines of its own.
    :param data: what the message was made from; each item becomes an attribute.
    """

    def __init__(self, message: str, hint: str = "", **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


# Where a module is installed under another name: the drivers.
_PACKAGES = {
    "psycopg2": "psycopg2-binary",
    "psycopg": "'psycopg[binary]'",
    "MySQLdb": "mysqlclient",
}


class ConfigError(MigrateError):
    """A setting is missing or wrong: the folder, a bind, the metadata, an option."""

    @classmethod
    def for_missing_module(cls, error: ModuleNotFoundError) -> ConfigError:
        """Say that a module is missing, mostly a driver, and how to get it."""
        name = error.name or ""
        hint = f"Is it installed here?  pip install {_PACKAGES.get(name, name)}"
        return cls(f"{error}.", hint, module=name)


class HistoryError(MigrateError):
    """The revision files do not form a usable history, or do not have what was asked for."""


class DatabaseError(MigrateError):
    """A database could not be reached or refused a statement."""


class StepError(DatabaseError):
    """A revision raised while it was run; the original exception is the ``__cause__``."""


class DatabaseBehindError(HistoryError):
    """The database has to be at the heads for what was asked, and is not."""


class LockTimeoutError(DatabaseError):
    """Another process was migrating the database for longer than this one was to wait."""


class HookError(MigrateError):
    """A function of the application that is called around a run raised; it is the ``__cause__``."""


class DataError(MigrateError):
    """Rows cannot be dumped, loaded or cleaned: the file, a value in it, or the tables."""


class RefusedError(MigrateError):
    """It would lose something, and nobody said yes."""


class HalfAppliedError(DatabaseError):
    """A revision was cut short on a database, and the run cannot go on with it by itself.

    Its attribute ``half`` is a `results.HalfApplied`.
    """
