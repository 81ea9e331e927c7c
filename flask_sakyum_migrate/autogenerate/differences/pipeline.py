"""What happens to the differences of one bind before they are written: small units, in order.

Each unit is a function that takes `Changes` and edits its operations. They run between Alembic's
comparison and the ``process_revision_directives`` of the application, which has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.runtime.migration import MigrationContext

from ...results.comparing import Change
from ...runtime.steps import bind_keys
from ...wishes import Wishes
from ...wording import lines, table_of
from .changes import Changes, Nothing
from .report import describe

Unit = Callable[[Changes], None]


@dataclass
class Pipeline:
    """Runs the units on the differences of each bind: Alembic's ``process_revision_directives``.

    :param units: in the order they run.
    :param wishes: what a person said.
    :param history: returns the text of all revision files.
    :param ask: answers the questions of the units; None: nobody is asked.
    :param last: called when all binds were compared; may refuse what was found.
    :param back: the units that run on the way back, when it was made of the way there.
    :param notes: filled in: what a person should read.
    :param postponed: filled in: columns that stay NULL for now, as ``user.age``.
    :param words: filled in: by the identity of an operation, what it does.
    """

    units: Sequence[Unit]
    wishes: Wishes
    history: Callable[[], str]
    ask: Callable[[Any], Any] | None = None
    last: Sequence[Callable[[], None]] = ()
    back: Sequence[Unit] = ()
    notes: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    words: dict[int, list[Change]] = field(default_factory=dict)
    _kept: list[Changes] = field(default_factory=list)
    _lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, context: MigrationContext, revision: Any, scripts: list[Any]) -> None:
        """Edit what the last comparison found, then write the way back anew."""
        upgrade = scripts[-1].upgrade_ops_list[-1]
        downgrade = scripts[-1].downgrade_ops_list[-1]
        changes = Changes(upgrade, context, self.wishes, self.history, self.notes, self.ask)
        changes.postponed = self.postponed
        for unit in self.units:
            unit(changes)
        downgrade.ops[:] = []
        upgrade.reverse_into(downgrade)
        changes.remove(lambda one: isinstance(one, Nothing))
        back = replace(changes, upgrade=downgrade, back=True)
        back.remove(lambda one: isinstance(one, Nothing))
        for unit in self.back:
            unit(back)
        bind = "+".join(bind_keys(context, context.opts.get("run_args", {})))
        self._lines.extend((bind, line) for line in describe(changes))
        dialect = context.dialect
        for _, one in changes.walk():
            texts = lines(one, dialect)
            self.words[id(one)] = [Change(text, table_of(one)) for text in texts]
        self._kept.append(changes)  # as long as its operations are there, so are their ids

    @property
    def lines(self) -> tuple[str, ...]:
        """What changes, a line for each."""
        return tuple(line for _, line in self._lines)

    def told(self) -> tuple[str, ...]:
        """Return the lines as a person reads them: with the bind, where there are several."""
        if len({bind for bind, _ in self._lines}) < 2:
            return self.lines
        return tuple(f"{bind}: {line}" for bind, line in self._lines)

    def finish(self) -> None:
        """Let the units say what they can only say when they have seen every bind.

        :raises RefusedError: one of them refuses.
        """
        for last in self.last:
            last()
