"""A new revision is run where nothing can be lost, and the models are compared once more."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from . import results
from .errors import DatabaseError, MigrateError, StepError
from .examining import Examining
from .hooks import Hooks
from .project import read_text

if TYPE_CHECKING:
    from .binds import Database
    from .copies import Subject

Self = TypeVar("Self", bound="Proving")

# The user may not do it, or others use the table just now: that says nothing about the revision.
_NOT_ALLOWED = {"42501", "25006", "55P03", "57014", "40P01", 1044, 1142, 1143, 1205, 1227, 1370}


@dataclass(frozen=True)
class Proving(Examining):
    """The part of `Repository` that tries revisions. The parameters are those of `Project`."""

    def prove(self, made: results.NewRevision) -> results.CheckResult:
        """Run a new revision up, down and up again, to see what differs from the models then.

        It is for throw-away databases: ``with repository.scratch(None) as copy: copy.prove(made)``.

        :param made: the newest revision; its file was written.
        :returns: what the next comparison would find; nothing, where the revision is right.
        :raises StepError: the revision does not run.
        """
        self.upgrade("heads")
        found = self.check()
        if len(made.down) < 2:
            self.downgrade(made.down[0] if made.down else "base")
            self.upgrade("heads")
        return found

    def try_out(self, made: results.NewRevision, bind: str | None = None) -> results.Trial:
        """Run a new revision on copies of the schemas, to see what differs from the models then.

        The copies have no rows: SQLite's is in memory, that of MySQL and MariaDB a throw-away
        database, and on PostgreSQL it is a transaction that is rolled back. Only the tables that
        the revision is about are compared. No hook or signal around a run is called for it.

        :param made: the newest revision; its file was written.
        :param bind: only this bind.
        """
        from .runtime.loggers import silenced

        folder = self.folder
        left: list[str] = []
        failed: list[str] = []
        skipped: dict[str, str] = {}
        with silenced("alembic"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they came when it was written
            for database in self.databases(bind, folder):
                try:
                    left += self._tried(made, database, bind)
                except StepError as error:
                    if _is_not_allowed(error):
                        skipped[database.name] = error.message
                    else:
                        failed.append(error.message)
                except MigrateError as error:
                    skipped[database.name] = str(error)
                # The file is written, and the hooks of an application run that were not made to be
                # called once more: whatever they raise is no failure of what was asked for.
                except Exception as error:
                    skipped[database.name] = f"{type(error).__name__}: {error}"
        tried = not failed and (left or not skipped)
        return results.Trial(tuple(left) if tried else None, "\n".join(failed), skipped)

    def _left_by(self, made: results.NewRevision) -> tuple[str, ...]:
        """Return what a new revision that was applied leaves different, as lines of code.

        Only the tables that it is about are compared, and nothing where ``policy.prove`` is False.
        """
        if self.policy.prove is False:
            return ()
        from .copies import tables_of

        folder = self.folder
        beside: frozenset[str] = frozenset()
        for database in self.databases(None, folder) if folder.env.is_known else ():
            with database.engine.connect() as connection:
                beside |= self._subject(made, database).beside(tables_of(connection))
        quiet = replace(self._leaving_out(beside), policy=replace(self.policy, say=None))
        return _unexpected(quiet.check(), made)

    def _tried(self, made: results.NewRevision, database: Database, bind: str | None) -> list[str]:
        """Try a revision on one database; return what is left.

        :raises StepError: it does not run.
        :raises DatabaseError: it cannot be tried.
        """
        from .copies import copy_of

        self._refuse_trial(database)
        with copy_of(self._subject(made, database)) as copy:
            plain = replace(
                self._leaving_out(copy.beside),
                policy=self.policy.for_throw_away(),
                hooks=Hooks(),
            )
            keys = database.keys if bind is None else (bind,)
            plain.upgrade(made.id, bind=keys[0], connection=copy.connection)
            found = [
                plain.check(key, connection=copy.connection, anywhere=True, fast=False)
                for key in keys
            ]
        return [line for result in found for line in _unexpected(result, made)]

    def _subject(self, made: results.NewRevision, database: Database) -> Subject:
        """Put together what a trial is about."""
        from .copies import Subject

        text = "\n".join([read_text(made.path), *made.changes])
        return Subject(database, text, self._version_table()[0])

    def _refuse_trial(self, database: Database) -> None:
        """Refuse to try anything where it might reach more than a copy.

        :raises DatabaseError: it might.
        """
        from .upgrading.protecting import is_protected

        schema = self._version_table()[1]
        dialect = database.engine.dialect.name
        if not self.folder.env.is_known:
            raise DatabaseError("env.py was written for this project.")
        if schema is not None and dialect != "postgresql":
            raise DatabaseError(f"The version table is in the schema {schema}.")
        if dialect != "sqlite" and is_protected(self.policy.protected, database.engine):
            raise DatabaseError(f"{database.url} is protected.")

    def _leaving_out(self: Self, tables: Collection[str]) -> Self:
        """Return the repository as it compares without some tables, and tells nobody of a step."""
        from .autogenerate import leave_out

        options = {key: one for key, one in self.options.items() if key != "on_version_apply"}
        leave_out(options, tables)
        return replace(self, options=options)


def _unexpected(result: results.CheckResult, made: results.NewRevision) -> tuple[str, ...]:
    """Return what differs, unless it is nothing but what was postponed, and said so."""
    from .wording import full_name

    postponed = all(
        kind == "other_primary_key"
        or (kind == "modify_nullable" and f"{full_name(table, schema)}.{column}" in made.postponed)
        for kind, schema, table, column, *_ in _flat(result.differences)
    )
    return () if postponed else result.operations


def _flat(differences: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Give each of Alembic's tuples, with what others have between (a table has no column)."""
    for one in differences:
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield (*one, None, None, None)


def _is_not_allowed(error: BaseException) -> bool:
    from .upgrading.driver import error_code
    from .upgrading.postgresql import sqlstate

    return bool({sqlstate(error), error_code(error)} & _NOT_ALLOWED)
