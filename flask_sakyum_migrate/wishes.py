"""What a person said about changes that a comparison cannot decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wishes:
    """What a person said about changes that a comparison cannot decide.

    :param renames: new names by old ones: ``{"user.name": "full_name", "exam": "test"}``.
    :param drops: tables and columns that are meant to go: ``exam``, ``user.name``.
    :param defaults: what the rows that exist get in a new column that cannot be empty, as it is
        typed: ``{"user.age": "0"}``.
    :param allow_drop: whether a revision may drop most of the tables.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    drops: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    allow_drop: bool = False
