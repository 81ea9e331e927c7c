"""Where the databases stand: what is applied, what is pending, what went missing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from . import results
from .errors import DatabaseError
from .foretelling import Foretelling

if TYPE_CHECKING:
    from .binds import Database
    from .revisions import Graph, Revision


class Standing(Foretelling):
    """The part of `Repository` that tells where the databases stand."""

    def status(self, bind: str | None = None) -> results.Status:
        """Return what is applied to each database and what is pending.

        A database that does not answer, has no version or is at a revision that no file has is
        part of the answer, not an error.

        :param bind: only this bind.
        """
        folder = self.folder
        graph = self.graph(folder)
        found = [self._status(one, graph) for one in self.databases(bind, folder)]
        return results.Status(
            tuple(node.id for node in graph.heads),
            tuple(node.id for node in graph.nodes.values() if node.is_branch_point),
            tuple(found),
        )

    def _status(self, database: Database, graph: Graph) -> results.DatabaseStatus:
        order = list(reversed(graph.sort(graph.nodes)))
        try:
            (position,) = self.positions(database.binds[0].key)
            ran = self._last_runs(database.binds[0].key)
        except DatabaseError as error:
            states = [_state(node, "unknown") for node in order]
            return results.DatabaseStatus(
                database.name, database.url, None, tuple(states), error.message
            )
        unknown = [row for row in position.heads if row not in graph]
        known = [graph.nodes[row] for row in position.heads if row in graph]
        applied = graph.ancestors(known)
        for row in unknown:  # what it stood on is applied as well, as far as anybody knows
            parents = ran[row].parents if row in ran else ()
            applied |= graph.ancestors([graph.nodes[one] for one in parents if one in graph])
        revisions = [
            _state(node, "applied" if node.id in applied else "pending", ran.get(node.id))
            for node in order
        ]
        for row in unknown:
            record = ran.get(row)
            message = record.message if record is not None else ""
            revisions.append(results.RevisionStatus(row, message, "missing", None, record))
        problem = graph.unknown(unknown).message if unknown else ""
        for row in unknown:
            below = ", ".join(ran[row].parents) if row in ran else ""
            problem += f" It stands on {below}, says the history of runs." if below else ""
        return results.DatabaseStatus(
            database.name, database.url, position.rows, tuple(revisions), problem
        )

    def _last_runs(self, bind: str) -> Mapping[str, results.RunRecord]:
        """Return the last time each revision was applied, unless it was taken back after."""
        last: dict[str, results.RunRecord] = {}
        for record in self.runs(None, bind):  # newest first
            if record.outcome == "done" and record.direction in ("upgrade", "downgrade"):
                last.setdefault(record.revision, record)
        return {one: record for one, record in last.items() if record.direction == "upgrade"}


def _state(
    node: Revision, state: str, ran: results.RunRecord | None = None
) -> results.RevisionStatus:
    if state == "applied" and ran is not None and _has_changed(node.path, ran):
        state = "changed"
    known = ran if state != "pending" else None
    return results.RevisionStatus(node.id, node.message, state, Path(node.path), known)


def _has_changed(path: str, ran: results.RunRecord) -> bool:
    if not ran.checksum:
        return False
    # A Path is most of the time of 5,000 files that nobody touched.
    older = ran.started is not None and os.stat(path).st_mtime < ran.started.timestamp()  # noqa: PTH116
    return not older and hashlib.sha256(Path(path).read_bytes()).hexdigest() != ran.checksum
