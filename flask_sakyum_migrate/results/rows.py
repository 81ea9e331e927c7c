"""What became of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .running import UpgradeResult


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    :param rows: how many rows each table took; those of a bind other than the default one as
        ``bind:table``.
    :param revisions: the revisions the rows were at, by bind.
    :param upgrades: the upgrades before and after the rows.
    :param seconds: how long all of it took.
    """

    rows: Mapping[str, int]
    revisions: Mapping[str, tuple[str, ...]]
    upgrades: tuple[UpgradeResult, ...]
    seconds: float


@dataclass(frozen=True)
class Cleaned:
    """What became of the tables of a database.

    :param bind: the bind key, or the keys joined by ``+`` where binds share a database.
    :param url: its URL without the password.
    :param rows: how many rows each table had.
    :param dropped: whether the tables are gone as well.
    :param left: tables of others, that no model defines and no revision created.
    """

    bind: str
    url: str
    rows: Mapping[str, int]
    dropped: bool
    left: tuple[str, ...]
