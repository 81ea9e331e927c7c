"""What comparing the models with the databases ended in: what differs, a new revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .running import UpgradeResult


@dataclass(frozen=True)
class Change:
    """What differs, in words.

    :param text: ``+ column user.email VARCHAR(20)``: what would have to be done.
    :param table: the table it is about, with its schema if it has one; empty when that is unknown.
    """

    text: str
    table: str = ""


@dataclass(frozen=True)
class CheckResult:
    """How the models differ from the databases.

    :param differences: Alembic's difference tuples, as ``alembic check`` has them.
    :param operations: the same as the code of a revision that would remove them.
    :param changes: the same in words.
    """

    differences: tuple[Any, ...]
    operations: tuple[str, ...]
    changes: tuple[Change, ...] = ()

    @property
    def ok(self) -> bool:
        """There is no difference."""
        return not self.differences


@dataclass(frozen=True)
class NewRevision:
    """A revision file that was written.

    :param id: the revision id.
    :param path: the file.
    :param message: its message.
    :param down: the ids it stands on.
    :param changes: one line for each change in it, where it was made by comparing.
    :param text: what would be in the file, where it was not written.
    :param postponed: columns that may be NULL for now, though the models say otherwise, as
        ``user.age``.
    """

    id: str
    path: Path
    message: str
    down: tuple[str, ...]
    changes: tuple[str, ...] = ()
    text: str = ""
    postponed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """What it took to have the databases as the models are.

    :param pending: what the revisions that were there did; None: there were none.
    :param revision: the file that was written, when the models differed.
    :param applied: what it did.
    :param left: what differs from the models after it, as the code of a revision that would
        remove it.
    """

    pending: UpgradeResult | None
    revision: NewRevision | None
    applied: UpgradeResult | None
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """What a new revision did on copies of the schemas.

    :param left: what differs from the models after it, as the code of a revision that would
        remove it; None where it was not tried or did not run.
    :param failed: why it does not run; empty where it does.
    :param skipped: why it was not tried, by the name of the database.
    """

    left: tuple[str, ...] | None
    failed: str = ""
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """How databases that had no version were adopted.

    :param revision: the first revision, where it was written.
    :param check: how the databases differ from the models.
    :param stamped: whether they have a version now.
    """

    revision: NewRevision | None
    check: CheckResult
    stamped: bool
