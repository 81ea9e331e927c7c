"""The revisions, and where the databases are among them. Alembic is not imported for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import binds as binding
from . import results
from .binds import Database
from .errors import HistoryError
from .project import Project
from .revisions import Revision
from .runtime.folder import Folder


class Reading(Project):
    """The part of `Repository` that only reads. The parameters are those of `Project`."""

    def heads(self, *, resolve_dependencies: bool = False) -> list[Revision]:
        """Return the revisions the history ends in.

        :param resolve_dependencies: leave out those another revision depends on.
        """
        graph = self.graph()
        return graph.effective_heads if resolve_dependencies else graph.heads

    def branches(self) -> list[tuple[Revision, list[Revision]]]:
        """Return the revisions where the history branches, each with the ones that follow it."""
        graph = self.graph()
        return [
            (node, [graph.nodes[child] for child in node.children])
            for node in graph.sort(graph.nodes)
            if node.is_branch_point
        ]

    def get(self, symbol: str = "head") -> Revision:
        """Return one revision.

        :param symbol: an id, its beginning, a branch label, ``head``, ``head-1``, ``base+2``,
            ``label@head``, ``current``.
        :raises HistoryError: there is none, or more than one.
        """
        found = self.find(symbol)
        if len(found) != 1:
            names = ", ".join(node.id for node in found) or "none"
            raise HistoryError(f"{symbol} stands for {len(found)} revisions: {names}.")
        return found[0]

    def find(self, symbol: str = "head") -> list[Revision]:
        """Return the revisions a symbol stands for; more than one for ``heads``, none for base."""
        graph = self.graph()
        if symbol == "current":
            return graph.known(self._rows())
        return graph.find(symbol)

    def history(self, base: str = "base", head: str = "heads") -> list[Revision]:
        """Return the revisions from head down to base, newest first.

        :param base: where to stop, included; any symbol of Alembic, or ``current``.
        :param head: where to begin.
        :raises HistoryError: base is not below head.
        """
        graph = self.graph()
        if graph.is_relative(base):  # -3: is three below the other end
            base = ("head" if head == "heads" else head) + base
        current = graph.known(self._rows()) if "current" in (base, head) else []
        if graph.is_relative(head):  # +1 is one above the other end
            start = current[0].id if len(current) == 1 else "base"
            head = (start if base == "current" else base) + head
        if "current" not in (base, head):
            return graph.between(base, head)
        tops = current if head == "current" else graph.find(head)
        return graph.span(current if base == "current" else graph.find(base), tops)

    def current(self, bind: str | None = None) -> list[results.Position]:
        """Return where each database stands.

        :raises HistoryError: a database is at a revision that no file has.
        """
        folder = self.folder
        graph = self.graph(folder)
        return [
            replace(one, revisions=tuple(graph.current(one.heads)))
            for one in self.positions(bind, folder)
        ]

    def positions(
        self, bind: str | None = None, folder: Folder | None = None
    ) -> list[results.Position]:
        """Return what the version table of each database has, known revisions or not."""
        folder = folder or self.folder
        if self._reads_directly(folder):
            return [self._position(one) for one in self.databases(bind, folder)]
        run = self._look(no_steps, bind)
        return [results.Position(visit.bind, visit.url, visit.before) for visit in run.visits]

    def pending(self, target: str = "heads", bind: str | None = None) -> list[Revision]:
        """Return the revisions an upgrade would run on any of the databases, in order."""
        folder = self.folder
        graph = self.graph(folder)
        wanted: set[str] = set()
        for position in self.positions(bind, folder):
            wanted.update(node.id for node in graph.pending(position.heads, target))
        return list(reversed(graph.sort(wanted)))

    # ---- below the verbs ---------------------------------------------------------------------

    def _position(self, database: Database) -> results.Position:
        rows = binding.read_heads(database.engine, *self._version_table())
        return results.Position(database.name, database.url, rows)

    def _rows(self) -> list[str]:
        """Return the revisions that any of the databases is at."""
        return sorted({row for position in self.positions() for row in position.heads})


def no_steps(heads: tuple[str, ...], context: Any) -> list[Any]:
    """Give Alembic nothing to run."""
    return []
