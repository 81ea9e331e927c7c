"""Which of the names that are gone are among those that are new: what says so, and what asks.

The same for the tables of a schema and the columns of a table: a `Scope` is one of them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import RefusedError
from ...results.questions import RenameQuestion
from ...wishes import Wishes
from .likeness import Likeness

Ask = Callable[[RenameQuestion], bool]

LABEL = "enum."
"""What the label of an enum type is written with: ``--rename enum.state.old:new``."""


@dataclass
class Scope:
    """The names of one kind in one place: the tables of a schema, or the columns of a table.

    :param kind: ``table`` or ``column``.
    :param prefixes: what a person may write before a name; the first is how it is told.
    :param gone: what only the database has.
    :param new: what only the models have.
    :param kept: the names that both have.
    :param hints: what the models say: old names by new ones.
    :param alike: tells how much something that is gone looks like something that is new.
    :param unasked: names that are gone and nobody is asked about.
    """

    kind: str
    prefixes: Sequence[str]
    gone: Mapping[str, Any]
    new: Mapping[str, Any]
    kept: Collection[str]
    hints: Mapping[str, str]
    alike: Callable[[Any, Any], Likeness | None]
    unasked: Collection[str] = ()

    def written(self, name: str) -> str:
        """Return a name as it is told."""
        return self.prefixes[0] + name

    def place(self, written: str) -> str | None:
        """Return a name that a person wrote, without its place; None when it is of another one."""
        known = {*self.gone, *self.new, *self.kept}
        for prefix in self.prefixes:
            name = written.removeprefix(prefix)
            if written.startswith(prefix) and (self.kind == "column" or name in known):
                return name
        return None

    def bare(self, written: str) -> str:
        """Return a name of this place as it is without it."""
        prefix = next((one for one in self.prefixes if one and written.startswith(one)), "")
        return written.removeprefix(prefix)

    def there_is(self) -> str:
        """Say what is gone and what is new."""
        place = f" from {self.prefixes[0][:-1]}" if self.prefixes[0] else ""
        gone, new = (", ".join(sorted(names)) or "nothing" for names in (self.gone, self.new))
        return f"Gone{place}: {gone}. New: {new}."


@dataclass(frozen=True)
class Candidate:
    """Something that may have been renamed, and nobody has said whether it was.

    :param old: as it is written: ``user.name``.
    :param new: the same: ``user.full_name``.
    :param name: the new name alone.
    """

    kind: str
    old: str
    new: str
    name: str
    likeness: Likeness

    @property
    def question(self) -> RenameQuestion:
        """What a person is asked."""
        return RenameQuestion(self.kind, self.old, self.new, self.likeness.words)


@dataclass
class Answers:
    """What is said about a scope.

    :param pairs: new names by old ones.
    :param unanswered: what may have been renamed.
    :param used: the wishes that were for this scope, as they were written.
    :param notes: what a person should read.
    :param refused: why other wishes cannot be meant for this scope; for that of another database
        with a table of the same name they may be.
    """

    pairs: dict[str, str] = field(default_factory=dict)
    unanswered: list[Candidate] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    refused: dict[str, RefusedError] = field(default_factory=dict)


def from_models(scope: Scope) -> Answers:
    """Take what the models say, where it can be done; what cannot is left as it is."""
    pairs = {old: new for new, old in scope.hints.items() if old in scope.gone and new in scope.new}
    return Answers(pairs)


def decide(scope: Scope, wishes: Wishes, ask: Ask | None) -> Answers:
    """Find out what was renamed: from the models, what a person said, and by asking.

    :param ask: answers a question; None: nobody is asked.
    :raises RefusedError: what was said cannot be done.
    """
    answers = Answers()
    dropped = {name for name in scope.gone if any(p + name in wishes.drops for p in scope.prefixes)}
    _hinted(scope, dropped, answers)
    _wished(scope, wishes, answers)
    _check(scope, answers.pairs, dropped)
    taken = {*answers.pairs.values()}
    free = [
        name
        for name in scope.gone
        if name not in answers.pairs and name not in dropped and name not in scope.unasked
    ]
    for candidate, old in _candidates(scope, free, [one for one in scope.new if one not in taken]):
        if old in answers.pairs or candidate.name in answers.pairs.values():
            continue
        if ask is None:
            answers.unanswered.append(candidate)
        elif ask(candidate.question):
            answers.pairs[old] = candidate.name
    return answers


def stop(candidates: Sequence[Candidate]) -> RefusedError:
    """Say what may have been renamed, and how to tell whether it was."""
    seen = "; ".join(
        f"{one.old} is gone and {one.new} ({one.likeness.words}) is new" for one in candidates
    )
    options: dict[str, list[str]] = {}
    for one in candidates:
        option = f"--rename {shlex.quote(f'{one.old}:{one.name}')}"
        options.setdefault(one.old, []).append(option)
    lines = [
        "  " + "   or   ".join([*renames, f"--drop {shlex.quote(old)}"])
        for old, renames in options.items()
    ]
    return RefusedError(
        f"{seen}. Renamed or dropped? Nothing was written.",
        "\n".join(["Tell flask db migrate which it is:", *lines]),
        candidates=tuple(one.question for one in candidates),
    )


def _hinted(scope: Scope, dropped: Collection[str], answers: Answers) -> None:
    """Take what the models say, and note what they say in vain."""
    stored = {*scope.gone, *scope.kept}
    pairs = {old: new for new, old in scope.hints.items() if old in stored}
    for new, old in scope.hints.items():
        said = f"{scope.written(new)} says that it was {old} (renamed_from)"
        if old not in stored:
            answers.notes.append(
                f"{said}, which the database does not have any more: renamed_from can go."
                if new in scope.kept
                else f"{said}, which the database does not have. It is taken for new."
            )
        elif new in scope.new or _leads_on(new, pairs, scope):
            answers.pairs[old] = new
        elif old in scope.kept:
            answers.notes.append(f"{said}, and the database has both: renamed_from can go.")
        elif old not in dropped:
            raise RefusedError(
                f"{said}, and the database has both. Nothing was written.",
                f"If {scope.written(old)} is to go, with what is in it:  "
                f"flask db migrate --drop {shlex.quote(scope.written(old))}",
            )


def _leads_on(name: str, pairs: Mapping[str, str], scope: Scope) -> bool:
    """Tell whether a name is to be given away as well: to one that is new, or in a circle."""
    seen = [name]
    while seen[-1] in pairs:
        after = pairs[seen[-1]]
        if after in scope.new or after == name:
            return True
        if after in seen:
            return False
        seen.append(after)
    return False


def _wished(scope: Scope, wishes: Wishes, answers: Answers) -> None:
    """Take what was said with ``--rename``."""
    places = {before: scope.place(before) for before in wishes.renames}
    news = {scope.bare(wishes.renames[one]) for one, old in places.items() if old is not None}
    for before, after in wishes.renames.items():
        old, new = places[before], scope.bare(after)
        if old is None:
            continue
        circle = new in places.values() or old in news
        if old not in scope.gone and old not in answers.pairs and not circle:
            reason = _reason(scope, old, new)
            answers.refused[before] = _cannot(scope, old, new, reason)
            continue
        answers.used.add(before)
        if answers.pairs.get(old, new) != new:
            raise RefusedError(
                f"--rename {before}:{after}, and the model of {scope.written(answers.pairs[old])} "
                f"says that it was {old} (renamed_from). Nothing was written."
            )
        answers.pairs[old] = new


def _check(scope: Scope, pairs: Mapping[str, str], dropped: Collection[str]) -> None:
    """Refuse renames that cannot be done, with the reason."""
    _check_order(scope, pairs)
    for old, new in pairs.items():
        twins = sorted(one for one in pairs if pairs[one] == new)
        reason = _reason(scope, old, new)
        if not reason and len(twins) > 1:
            reason = f"{' and '.join(map(scope.written, twins))} would become the same"
        elif not reason and old in dropped:
            reason = f"--drop {scope.written(old)} says that it goes"
        if reason:
            raise _cannot(scope, old, new, reason)


def _reason(scope: Scope, old: str, new: str) -> str:
    """Return why one cannot become the other here; nothing when it can."""
    if old in scope.kept:
        return f"the models still have {scope.written(old)}"
    if old not in scope.gone:
        return f"the database has no {scope.written(old)}"
    if new in scope.kept:
        return f"the database has {scope.written(new)} already"
    return "" if new in scope.new else f"the models have no {scope.written(new)}"


def _cannot(scope: Scope, old: str, new: str, reason: str) -> RefusedError:
    what = f"{scope.written(old)} cannot become {new}"
    return RefusedError(f"{what}: {reason}. Nothing was written.", scope.there_is())


def _check_order(scope: Scope, pairs: Mapping[str, str]) -> None:
    """Refuse to give a name to something while something else still has it."""
    for old, new in pairs.items():
        if new not in pairs:
            continue
        if pairs[new] == old:
            raise RefusedError(
                f"{scope.written(old)} and {scope.written(new)} would swap their names, and "
                "neither is free while the other has it. Nothing was written.",
                "Write three revisions: in the first one of them gets a third name.",
            )
        raise RefusedError(
            f"{scope.written(old)} would become {new}, which is {pairs[new]} from then on: the "
            "name is not free before. Nothing was written.",
            f"Write two revisions: first {scope.written(new)} becomes {pairs[new]}, then "
            f"{scope.written(old)} becomes {new}.",
        )


def _candidates(
    scope: Scope, gone: Sequence[str], new: Sequence[str]
) -> list[tuple[Candidate, str]]:
    """Return what may have been renamed, with the bare old name; the likeliest first."""
    found = [
        (Candidate(scope.kind, scope.written(old), scope.written(name), name, likeness), old)
        for old in gone
        for name in new
        if (likeness := scope.alike(scope.gone[old], scope.new[name])) is not None
    ]
    return sorted(found, key=lambda one: (-one[0].likeness.score, one[0].old, one[0].new))
