"""Each ``check`` of a test is made in both ways, and the answers are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from flask_sakyum_migrate.repository import Repository
from flask_sakyum_migrate.results import CheckResult

_check = Repository.check


@dataclass(frozen=True)
class _Told:
    """What a check came to.

    :param notes: what it said beside its result.
    """

    result: CheckResult | None
    error: Exception | None
    notes: list[str]

    def words(self) -> tuple[Any, ...]:
        """Return what a person sees of it."""
        if self.result is None:
            return (repr(self.error), self.notes)
        found = self.result
        return (len(found.differences), found.operations, found.changes, self.notes)


def check(self: Repository, *args: Any, fast: bool = True, **kwargs: Any) -> CheckResult:
    """Compare as `Repository.check` does; in both ways, unless the slow one is asked for."""
    if not fast:
        return _check(self, *args, fast=False, **kwargs)
    slow = _told(self, False, *args, **kwargs)
    quick = _told(self, True, *args, **kwargs)
    if quick.words() != slow.words():
        pytest.fail(f"Fast: {quick.words()}\nSlow: {slow.words()}")
    for note in quick.notes:
        self.policy.tell(note)
    if quick.error is not None:
        raise quick.error
    assert quick.result is not None
    return quick.result


def _told(repository: Repository, fast: bool, *args: Any, **kwargs: Any) -> _Told:
    notes: list[str] = []
    listening = replace(repository, policy=replace(repository.policy, say=notes.append))
    try:
        return _Told(_check(listening, *args, fast=fast, **kwargs), None, notes)
    except Exception as error:
        return _Told(None, error, notes)
