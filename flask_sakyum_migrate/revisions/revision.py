"""A revision, and its place among the others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Revision:
    """One revision file and its neighbours.

    :param id: the revision id.
    :param down: ids it stands on (``down_revision``).
    :param depends: ids it depends on (``depends_on``, resolved to ids).
    :param depends_on: the same as written in the file.
    :param labels: branch labels, its own and those of its branch.
    :param doc: the docstring of the file.
    :param path: the file.
    :param parents: what it stands and depends on.
    :param children: ids of the revisions that stand on it.
    :param dependents: ids of the revisions that stand or depend on it.
    """

    id: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    labels: tuple[str, ...]
    doc: str
    path: str
    depends: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    children: list[str] = field(default_factory=list)
    dependents: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """The first paragraph of the docstring."""
        return re.split("\n\n", self.doc)[0]

    @property
    def is_head(self) -> bool:
        """Nothing stands on it."""
        return not self.children

    @property
    def is_effective_head(self) -> bool:
        """Nothing stands or depends on it: it is a row of the version table at the end."""
        return not self.dependents

    @property
    def is_base(self) -> bool:
        """It stands on nothing."""
        return not self.down

    @property
    def is_branch_point(self) -> bool:
        """More than one revision stands on it."""
        return len(self.children) > 1

    @property
    def is_merge_point(self) -> bool:
        """It stands on more than one revision."""
        return len(self.down) > 1
