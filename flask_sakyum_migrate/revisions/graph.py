"""The revisions of a folder as a graph. Every question is answered in time linear in its size."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..errors import HistoryError
from .building import build, reach
from .git import author_of, written_in
from .headers import Header
from .revision import Revision

_RELATIVE = re.compile(r"(?P<symbol>[^@]*[^@+-])(?P<steps>[+-]\d+)")
_PARTIAL = 4  # Alembic completes an id from its first four characters on


class Graph:
    """All revisions of a folder.

    :param headers: of the revision files, in the order of their names.
    :param folder: where they are, for messages.
    :raises HistoryError: two files have one id, a parent is missing, there is a cycle, an id has
        a character that Alembic keeps for itself, or a branch label is used twice.
    """

    def __init__(self, headers: Iterable[Header], folder: Path | None = None) -> None:
        self.headers = list(headers)
        self.folder = folder
        self.nodes, self.labels = build(self.headers)

    # ---- reads -------------------------------------------------------------------------------

    @property
    def heads(self) -> list[Revision]:
        """Revisions nothing stands on, in file order."""
        return [node for node in self.nodes.values() if node.is_head]

    @property
    def effective_heads(self) -> list[Revision]:
        """Heads that no other revision depends on: what ``upgrade heads`` ends with."""
        return [node for node in self.nodes.values() if node.is_effective_head]

    @property
    def bases(self) -> list[Revision]:
        """Revisions that stand on nothing."""
        return [node for node in self.nodes.values() if node.is_base]

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, revision: str) -> bool:
        return revision in self.nodes

    def get(self, symbol: str) -> Revision:
        """Find one revision by id, by the beginning of an id, by label, or ``head``.

        :raises HistoryError: there is none, or more than one.
        """
        found = self.find(symbol)
        if len(found) > 1:
            raise HistoryError(
                f"{symbol} names {len(found)} revisions: {', '.join(node.id for node in found)}.",
                "Name one of them.",
                revisions=tuple(node.id for node in found),
            )
        if not found:
            raise HistoryError(f"{symbol} is before the first revision.", revision=symbol)
        return found[0]

    def find(self, symbol: str) -> list[Revision]:
        """Find the revisions a symbol names: an id or its beginning, a label, head, heads, base.

        :raises HistoryError: no revision, or more than one, begins like that.
        """
        branch, at, name = symbol.rpartition("@")
        if at:
            return self._in_branch(branch, name)
        relative = _RELATIVE.fullmatch(symbol)
        if relative is not None:
            return [self._walk(relative["symbol"], int(relative["steps"]))]
        if re.fullmatch(r"-\d+", symbol):
            return [self._walk("head", int(symbol))]
        if symbol == "base":
            return []
        if symbol == "heads":
            return self.effective_heads
        if symbol == "head":
            heads = self.heads
            if len(heads) > 1:
                raise several_heads(heads)
            return heads
        if symbol in self.labels:
            return [self.labels[symbol]]
        return [self._by_beginning(symbol)]

    def is_relative(self, symbol: str) -> bool:
        """Tell whether a symbol counts from where a database is, like ``+1`` or ``label@-1``."""
        return re.fullmatch(r"(.+@)?[+-]\d+", symbol) is not None

    def ancestors(self, start: Iterable[Revision], *, deps: bool = True) -> set[str]:
        """Return the ids of the given revisions and of all below them."""
        return reach(self.nodes, start, lambda node: node.parents if deps else node.down)

    def descendants(self, start: Iterable[Revision], *, deps: bool = True) -> set[str]:
        """Return the ids of the given revisions and of all above them."""
        return reach(self.nodes, start, lambda node: node.dependents if deps else node.children)

    def current(self, rows: Collection[str]) -> list[Revision]:
        """Return the heads of what is applied, from the rows of the version table.

        Alembic lists a head that another head only depends on as well, although it is no row.

        :raises HistoryError: a row names a revision that no file has.
        """
        applied = self.ancestors(self.known(rows))
        return [
            self.nodes[one]
            for one in self.nodes
            if one in applied and not any(child in applied for child in self.nodes[one].children)
        ]

    def known(self, rows: Collection[str]) -> list[Revision]:
        """Return the revisions of the rows of a version table.

        :raises HistoryError: a row names a revision that no file has.
        """
        unknown = [row for row in rows if row not in self.nodes]
        if unknown:
            raise self.unknown(unknown)
        return [self.nodes[row] for row in rows]

    def unknown(self, unknown: Sequence[str]) -> HistoryError:
        """Return the error about rows of a version table that no file has.

        Git is asked where the file was written.
        """
        where = str(self.folder) if self.folder is not None else "the migrations folder"
        message = f"The database is at revision {', '.join(unknown)}, which no file in {where} has."
        hint = "The file was renamed or deleted, or never committed: bring it back."
        found = written_in(self.folder, unknown[0]) if self.folder is not None else None
        if found is not None:
            commit, branches = found
            on = f"on branch {branches[0]} " if branches else ""
            message += f" It was written {on}(commit {commit})."
            hint = (
                f"Check that branch out:  git checkout {branches[0]}"
                if branches
                else f"Bring it back:  git checkout {commit} -- FILE"
            )
        return HistoryError(message, hint, revisions=tuple(unknown))

    def pending(self, rows: Collection[str], target: str = "heads") -> list[Revision]:
        """Return what an upgrade from the rows to the target would run, in order.

        :raises HistoryError: the target or a row is unknown.
        """
        needed = self.ancestors(self.find(target)) - self.ancestors(self.known(rows))
        return list(reversed(self.sort(needed)))

    def between(self, base: str, head: str) -> list[Revision]:
        """Return the revisions from head down to base, both included, newest first.

        :raises HistoryError: base is not below head.
        """
        branch, at, name = base.rpartition("@")
        tops = self.find(head)
        if at and name == "base":
            line = self._line(branch)
            tops = [node for node in tops if branch in node.labels]
            return self.span([node for node in self.bases if node.id in line], tops)
        return self.span(self.find(base), tops)

    def span(self, bottoms: Sequence[Revision], tops: Sequence[Revision]) -> list[Revision]:
        """Return the revisions from the tops down to the bottoms, both included, newest first.

        :raises HistoryError: a bottom is not below the tops.
        """
        span = self.ancestors(tops)
        if bottoms:
            outside = [node.id for node in bottoms if node.id not in span]
            if outside:
                above = ", ".join(node.id for node in tops) or "base"
                raise HistoryError(f"{', '.join(outside)} is not below {above}.")
            span &= self.descendants(bottoms, deps=False)
        return self.sort(span)

    def sort(self, ids: Collection[str]) -> list[Revision]:
        """Sort revisions newest first: each before what it stands or depends on.

        A line is followed down for as long as nothing above its next revision is still to come.
        """
        wanted = set(ids)
        waiting = {
            one: sum(child in wanted for child in self.nodes[one].dependents) for one in wanted
        }
        ready = [one for one in self.nodes if one in wanted and not waiting[one]]
        ready.reverse()
        order = []
        while ready:
            node = self.nodes[ready.pop()]
            order.append(node)
            for parent in reversed(node.parents):
                if parent in wanted:
                    waiting[parent] -= 1
                    if not waiting[parent]:
                        ready.append(parent)
        return order

    # ---- finding -----------------------------------------------------------------------------

    def _by_beginning(self, symbol: str, among: Collection[str] | None = None) -> Revision:
        if symbol in self.nodes:
            return self.nodes[symbol]
        found = [
            one
            for one in (self.nodes if among is None else among)
            if symbol and len(one) >= _PARTIAL and one.startswith(symbol)
        ]
        if not found:
            raise HistoryError(
                f"No revision is called {symbol or 'nothing'}, and no id begins like that.",
                "The revisions of this folder: flask db history",
                revision=symbol,
            )
        if len(found) > 1:
            some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise HistoryError(
                f"{len(found)} revisions begin with {symbol}: {some}",
                "Type more characters of the one you mean.",
                revision=symbol,
                revisions=tuple(found),
            )
        return self.nodes[found[0]]

    def _walk(self, symbol: str, steps: int) -> Revision:
        """Go up or down from a revision; ``base+1`` is the first one."""
        if symbol == "base":
            ways = [node.id for node in self.bases] if steps > 0 else []
            left = steps - 1
        else:
            ways, left = [node.id for node in self.find(symbol)], abs(steps)
        while len(ways) == 1:
            node = self.nodes[ways[0]]
            if not left:
                return node
            left -= 1
            ways = list(node.children if steps > 0 else node.down)
        raise HistoryError(
            f"There is {f'{len(ways)} ways: ' + ', '.join(ways) if ways else 'nothing'} "
            f"at {symbol}{steps:+}.",
            "The revisions of this folder: flask db history",
            revision=symbol,
        )

    def _line(self, branch: str) -> set[str]:
        """Return the ids below and above the revision that a label, or an id, names."""
        if branch in ("", "base", "head", "heads"):
            raise HistoryError(f"There is no branch {branch or 'without a name'}.")
        root = self.labels.get(branch) or self._by_beginning(branch)
        return self.ancestors([root], deps=False) | self.descendants([root], deps=False)

    def _in_branch(self, branch: str, name: str) -> list[Revision]:
        line = self._line(branch)
        if name == "base":
            return []
        if name in ("head", "heads"):
            found = [node for node in self.heads if node.id in line]
            if name == "head" and len(found) > 1:
                raise several_heads(found)
            return found
        node = self._by_beginning(name, None if name in self.nodes else line)
        if node.id not in line:
            raise HistoryError(f"Revision {name} is not on the branch {branch}.")
        return [node]


def several_heads(heads: Sequence[Revision]) -> HistoryError:
    """Say that the history ends in more than one revision, and what to do."""
    lines = "\n".join(f"  {node.id}  {node.message}  ({_file(node)})" for node in heads)
    return HistoryError(
        f"The revisions end in {len(heads)} heads:\n{lines}",
        'Join them:  flask db merge -m "merge"   (or go to all of them:  flask db upgrade heads)',
        heads=tuple(node.id for node in heads),
    )


def _file(node: Revision) -> str:
    author = author_of(Path(node.path))
    return f"{node.path}, by {author}" if author else node.path
