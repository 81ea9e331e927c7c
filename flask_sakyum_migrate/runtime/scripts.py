"""Alembic's ScriptDirectory with modules that are imported when a step needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap

from ..revisions import Header, load_module


class LazyScript(Script):
    """A Script that knows its header and runs its file on first use of ``module``."""

    def __init__(self, header: Header) -> None:
        # Script.__init__ wants the module; what it sets beside it is this.
        self.path = header.path
        self._doc = header.doc
        self._module: ModuleType | None = None
        Revision.__init__(
            self,
            header.revision,
            header.down or None,
            dependencies=header.depends or None,
            branch_labels=header.labels or None,
        )

    @property
    def module(self) -> ModuleType:  # type: ignore[override]
        """The module of the revision file."""
        if self._module is None:
            self._module = load_module(self.path)
        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        return self._doc


class LinearMap(RevisionMap):
    """Alembic's revisions, sorted in the same order, in time that is linear in their number.

    Alembic collects all ancestors anew at each merge.
    """

    def _topological_sort(self, revisions: Collection[Revision], heads: Any) -> list[str]:
        down = {one.revision: one._normalized_down_revisions for one in revisions}
        place = {one: number for number, one in enumerate(self._revision_map)}
        tops = sorted({one.revision for one in heads} & down.keys(), key=place.__getitem__)
        return _Sorting(down, tops).order()


class _Sorting:
    """Follows lines down from the heads, one at a time, each for as long as it can.

    A revision is next when nothing above it is left. Until then it is the turn of the first line
    that leads to it.
    """

    def __init__(self, down: dict[str, tuple[str, ...]], lines: list[str]) -> None:
        self._down = down  # of those that are left
        self._above: dict[str, set[str]] = {one: set() for one in down}
        for one, parents in down.items():
            for parent in parents:
                if parent in down:
                    self._above[parent].add(one)
        self._lines = lines
        self._turn = 0
        self._looked_up: tuple[str, set[str]] = ("", set())

    def order(self) -> list[str]:
        """Return all of them, each before what it stands on."""
        order = []
        while self._lines:
            candidate = self._lines[self._turn]
            other = self._first_above(candidate) if self._above[candidate] else None
            if other is None:
                order.append(candidate)
                self._go_down(candidate)
            else:
                self._turn = other
        assert not self._down  # as Alembic asserts it
        return order

    def _go_down(self, revision: str) -> None:
        parents = [one for one in self._down.pop(revision) if one in self._down]
        for parent in parents:
            self._above[parent].discard(revision)
        more = [one for one in parents if one not in self._lines]
        self._lines[self._turn : self._turn + 1] = more[:1]
        self._lines += more[1:]
        if not more:
            self._turn = max(self._turn - 1, 0)

    def _first_above(self, revision: str) -> int | None:
        """Return the place of the first line that leads to a revision."""
        for number, line in enumerate(self._lines):
            if number == self._turn:
                continue
            if revision in self._down[line] or line in self._all_above(revision):
                return number
        return None

    def _all_above(self, revision: str) -> set[str]:
        if self._looked_up[0] != revision:  # the same one is asked for until it is next
            found: set[str] = set()
            todo = [revision]
            while todo:
                more = self._above[todo.pop()] - found
                found |= more
                todo += more
            self._looked_up = revision, found
        return self._looked_up[1]


def script_directory(config: Config, headers: Iterable[Header]) -> ScriptDirectory:
    """Open a migrations folder for Alembic without importing its revision files.

    The class is looked up in `alembic.command` because projects replace it there; a replaced one
    is used as it is.
    """
    cls: Any = alembic.command.ScriptDirectory  # type: ignore[attr-defined]
    script: ScriptDirectory = cls.from_config(config)
    if cls is ScriptDirectory:
        script.revision_map = LinearMap(lambda: [LazyScript(header) for header in headers])
    return script


def writing_to(folder: Path, script: ScriptDirectory, headers: Iterable[Header]) -> ScriptDirectory:
    """Return a migrations folder whose new revision files go to another place, without hooks."""
    other = ScriptDirectory(
        script.dir,
        file_template=script.file_template,
        truncate_slug_length=script.truncate_slug_length,
        version_locations=[folder],
        output_encoding=script.output_encoding,
        timezone=script.timezone,
        messaging_opts=script.messaging_opts,
    )
    other.revision_map = LinearMap(lambda: [LazyScript(header) for header in headers])
    return other
