"""What happens to the differences of one bind before they are written: small units, in order.

Each unit is a function that takes `Changes` and edits its operations. They run between Alembic's
comparison and the ``process_revision_directives`` of the application, which has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alembic.runtime.migration import MigrationContext

from ..wishes import Wishes
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
    :param lines: filled in: one for each change.
    """

    units: Sequence[Unit]
    wishes: Wishes
    history: Callable[[], str]
    ask: Callable[[Any], Any] | None = None
    last: Sequence[Callable[[], None]] = ()
    back: Sequence[Unit] = ()
    notes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __call__(self, context: MigrationContext, revision: Any, scripts: list[Any]) -> None:
        """Edit what the last comparison found, then write the way back anew."""
        upgrade = scripts[-1].upgrade_ops_list[-1]
        downgrade = scripts[-1].downgrade_ops_list[-1]
        changes = Changes(upgrade, context, self.wishes, self.history, self.notes, self.ask)
        for unit in self.units:
            unit(changes)
        downgrade.ops[:] = []
        upgrade.reverse_into(downgrade)
        changes.remove(lambda one: isinstance(one, Nothing))
        back = replace(changes, upgrade=downgrade, back=True)
        back.remove(lambda one: isinstance(one, Nothing))
        for unit in self.back:
            unit(back)
        self.lines.extend(describe(changes))

    def finish(self) -> None:
        """Let the units say what they can only say when they have seen every bind.

        :raises RefusedError: one of them refuses.
        """
        for last in self.last:
            last()
