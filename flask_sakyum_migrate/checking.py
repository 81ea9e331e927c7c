"""Verdicts: do the files, the models, the revisions and the databases fit each other?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from . import results
from .binds import DEFAULT
from .errors import ConfigError, HistoryError
from .hooks import Hooks
from .project import read_text
from .rows import Rows
from .wishes import Wishes

if TYPE_CHECKING:
    import sqlalchemy as sa

    from .binds import Database

Self = TypeVar("Self", bound="Checking")

WHAT_CHANGES = 'Write them into a revision:  flask db migrate -m "what changes"'
_BY_HAND = "Somebody changed the database by hand: undo it there, or write it into a revision."


class Checking(Rows):
    """The part of `Repository` that compares. The parameters are those of `Project`."""

    @contextmanager
    def scratch(self: Self, target: str | None = "heads") -> Iterator[Self]:
        """Lend a repository of the same folder on empty databases, which are dropped after it.

        :param target: the revision they are brought to; None leaves them empty.
        :raises ConfigError: env.py was written for this project and opens its own connections, or
            revisions would reach other databases of a MySQL server.
        :raises DatabaseError: the user may not make databases on the server.
        """
        from .scratch import scratch_engines

        folder = self.folder
        if not folder.env.is_known:
            raise ConfigError(
                f"{folder.path / 'env.py'} of this project opens its own connections, so it "
                "cannot be run on a throw-away database.",
                "The env.py of a new folder can:  flask db -d NAME init",
            )
        databases = self.databases(None, folder)
        self._refuse_to_reach_others(databases)
        with scratch_engines(databases) as engines:
            yield replace(
                self,
                source=replace(self.source, engines=engines),
                policy=self.policy.for_throw_away(),
                hooks=Hooks(),
            )._brought_to(target)

    def _refuse_to_reach_others(self, databases: Sequence[Database]) -> None:
        from .scratch import reaches_others, sees_others

        engines = [one.engine for one in databases if sees_others(one.engine)]
        for node in self.graph().nodes.values() if engines else ():
            path = Path(node.path)
            text = read_text(path)
            for engine in engines:
                why = reaches_others(engine, text)
                if why is not None:
                    raise ConfigError(
                        f"{path} {why}, so it is not run on a throw-away database: it might reach "
                        "a real one."
                    )

    def _brought_to(self: Self, target: str | None) -> Self:
        if target is not None and self.graph().nodes:
            self.upgrade(target)
        return self

    def verdicts(
        self,
        names: Sequence[str] = ("heads", "models", "drift"),
        bind: str | None = None,
        *,
        fast: bool = True,
    ) -> results.Verdicts:
        """Answer questions about the files, the models, the revisions and the databases.

        :param names: ``heads``: are the files one history? Needs no database. ``models``: do the
            revisions make what the models define? Needs a throw-away database. ``drift``: has
            somebody changed the database by hand? Needs both. ``database``: do the models and the
            database differ?
        :param bind: only this bind.
        :param fast: as `check` has it.
        :raises MigrateError: a question cannot be answered.
        """
        ask: dict[str, Callable[[str | None, bool], results.Verdict]] = {
            "heads": lambda bind, fast: self._heads_verdict(),
            "models": self._models_verdict,
            "drift": self._drift_verdict,
            "database": self._database_verdict,
        }
        found: list[results.Verdict] = []
        for name in names:
            found.append(ask[name](bind, fast))
            if name == "heads" and found[-1].broken:
                break  # there is no history that anything could be compared with
        return results.Verdicts(tuple(found))

    # ---- one question each ---------------------------------------------------------------------

    def _heads_verdict(self) -> results.Verdict:
        try:
            heads = self.graph().heads
        except HistoryError as error:
            paths = error.data.get("paths") or [error.data.get("path")]
            findings = [
                results.Finding(error.message, error.hint, path=_path(one)) for one in paths
            ]
            return results.Verdict("heads", tuple(findings), broken=True)
        if len(heads) < 2:
            return results.Verdict("heads")
        hint = 'Join them:  flask db merge -m "merge"'
        return results.Verdict(
            "heads",
            tuple(
                results.Finding(
                    f"{node.id} ({node.message}) is one of {len(heads)} heads",
                    hint,
                    path=Path(node.path),
                )
                for node in heads
            ),
        )

    def _database_verdict(self, bind: str | None, fast: bool) -> results.Verdict:
        return self._compared("database", bind, partial(self.check, fast=fast), WHAT_CHANGES)

    def _models_verdict(self, bind: str | None, fast: bool) -> results.Verdict:
        with self.scratch() as scratch:
            check = partial(scratch.check, anywhere=True, fast=fast)
            return self._compared("models", bind, check, WHAT_CHANGES)

    def _drift_verdict(self, bind: str | None, fast: bool) -> results.Verdict:
        graph = self.graph()
        notes, verdicts = [], []
        for database in self.databases(bind):
            rows = self.positions(database.keys[0])[0].heads
            graph.known(rows)
            if not rows:
                notes.append(f"{database.url} has no version: there is nothing to compare it with.")
                continue
            # Binds that share a database are one to its revisions.
            key = database.keys[0]
            made = {None if key == DEFAULT else key: self._made_by_revisions(database, rows)}
            expected = replace(
                self,
                source=replace(self.source, metadatas=made, only=(key,), fixed=True),
                policy=replace(self.policy, say=None),
            )
            verdicts.append(expected._drift_of(key, fast))
        return results.Verdict(
            "drift",
            tuple(finding for one in verdicts for finding in one.findings),
            tuple(line for one in verdicts for line in one.operations),
            " ".join(notes),
        )

    def _drift_of(self, key: str, fast: bool) -> results.Verdict:
        check = partial(self.check, anywhere=True, wishes=Wishes(allow_drop=True), fast=fast)
        return self._compared("drift", key, check, _BY_HAND)

    # ---- below them ----------------------------------------------------------------------------

    def _compared(
        self,
        name: str,
        bind: str | None,
        check: Callable[[str], results.CheckResult],
        hint: str,
    ) -> results.Verdict:
        """Compare one bind after the other, so that it is known what is whose."""
        findings: list[results.Finding] = []
        operations: list[str] = []
        for database in self.databases(bind):
            for key in database.keys if bind is None else (bind,):
                found = check(key)
                operations += found.operations
                if found.ok:
                    continue
                # What was made by hand is not where the model is.
                where = _nowhere if name == "drift" else self._defined_in
                findings += [
                    results.Finding(one.text, hint, key, *where(one.table)) for one in found.changes
                ] or [results.Finding("something differs", hint, key)]
        return results.Verdict(name, tuple(findings), tuple(operations))

    def _made_by_revisions(self, database: Database, rows: Sequence[str]) -> sa.MetaData:
        """Return the tables that the revisions up to some rows of a version table make."""
        from .autogenerate import reflected
        from .runtime.own_tables import own_tables

        version_table = self._version_table()[0]
        with self.scratch(None) as scratch:
            for row in rows:
                scratch.upgrade(row, bind=database.keys[0])
            schemas = {
                table.schema
                for bind in database.binds
                for metadata in bind.metadata
                for table in metadata.tables.values()
            }
            engine = scratch.databases(database.keys[0])[0].engine
            return reflected(engine, schemas - {None}, {version_table, *own_tables(version_table)})

    def _defined_in(self, table: str) -> tuple[Path | None, int | None]:
        """Find the file and the line of the model of a table."""
        model = getattr(self.source.db, "Model", None)
        for mapper in getattr(getattr(model, "registry", None), "mappers", ()):
            if getattr(mapper.local_table, "fullname", "") == table:
                try:
                    path = inspect.getsourcefile(mapper.class_)
                    line = inspect.getsourcelines(mapper.class_)[1]
                except (OSError, TypeError):  # it was made by a program, not written in a file
                    return None, None
                return (Path(path) if path else None), line
        return None, None


def _nowhere(table: str) -> tuple[None, None]:
    return None, None


def _path(value: object) -> Path | None:
    return Path(str(value)) if value else None
