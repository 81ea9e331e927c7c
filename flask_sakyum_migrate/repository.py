"""The migrations folder with its databases: all verbs in one class.

Here are those that are made of others: catching up, adopting a database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import results
from .errors import HistoryError, RefusedError
from .proving import Proving

if TYPE_CHECKING:
    from .wishes import Wishes


@dataclass(frozen=True)
class Repository(Proving):
    """The migrations folder of one application, and the databases it is for.

    Verbs act and return what they did; reads are nouns. The parameters are those of `Project`.
    """

    def update(
        self,
        message: str | None = None,
        *,
        wishes: Wishes | None = None,
        on_start: Callable[[results.Visit], None] | None = None,
        on_begin: Callable[[results.Step], None] | None = None,
        on_step: Callable[[results.Step], None] | None = None,
        on_upgrade: Callable[[results.UpgradeResult], None] | None = None,
        on_written: Callable[[results.NewRevision], None] | None = None,
        **arguments: Any,
    ) -> results.Update:
        """Apply what is pending; then, where the models differ, write a revision and apply it.

        :param message: of the revision, if one is written.
        :param wishes: what cannot be decided by comparing.
        :param on_start: and the others: called as `upgrade` does; ``on_upgrade`` after each of the
            two upgrades, ``on_written`` when a file was written.
        :param arguments: further ones of `revision`.
        :raises RefusedError: a database is protected: what was not reviewed is not applied there.
        """
        self._refuse_protected("update")

        def upgrade() -> results.UpgradeResult:
            done = self.upgrade("heads", on_start=on_start, on_begin=on_begin, on_step=on_step)
            if on_upgrade is not None:
                on_upgrade(done)
            return done

        pending = upgrade() if self.graph().nodes else None
        made = self.revision(message, autogenerate=True, wishes=wishes, **arguments)
        if made is None:
            return results.Update(pending, None, None)
        if on_written is not None:
            on_written(made)
        applied = upgrade()
        return results.Update(pending, made, applied, self._left_by(made))

    def amend(self, message: str | None = None, **arguments: Any) -> results.NewRevision | None:
        """Write the newest revision anew: same id, same place, what the models are now.

        :param message: None keeps the one it has.
        :param arguments: further ones of `revision`.
        :returns: the file; None when nothing differs any more: the old file stays.
        :raises HistoryError: there is no newest revision, or a database has it.
        """
        node = self.get("head")
        rows = {row for position in self.positions() for row in position.heads}
        if node.id in rows:
            raise HistoryError(
                f"A database is at {node.id} ({node.message}): it has run, so it is not written "
                "anew.",
                "Take it back first:  flask db downgrade   or write another:  flask db migrate",
            )
        if len(node.down) > 1:
            raise HistoryError(f"{node.id} ({node.message}) joins others; it has no changes.")
        path = Path(node.path)
        aside = path.with_name(path.name + ".amended")  # its ending keeps it out of the history
        path.rename(aside)
        try:
            made = self.revision(
                message or node.message,
                autogenerate=True,
                rev_id=node.id,
                head=node.down[0] if node.down else "base",
                depends_on=list(node.depends_on) or None,
                **arguments,
            )
        except BaseException:
            aside.rename(path)
            raise
        if made is None or made.text:
            aside.rename(path)
        else:
            aside.unlink()
        return made

    def baseline(self, message: str | None = None, *, accept: bool = False) -> results.Baseline:
        """Adopt databases that have the tables of the models and no version.

        Where there is no revision yet, the first one is written: from nothing to the models. Then
        the databases are compared with the models, and stamped where nothing differs.

        :param message: of the first revision.
        :param accept: stamp whatever differs: the next revision mends it.
        :raises HistoryError: a database has a version already.
        """
        for position in self.positions():
            if position.heads:
                raise HistoryError(
                    f"{position.url} is at {', '.join(position.heads)}: it was adopted already.",
                    "What differs from the models:  flask db check",
                )
        made = None
        if not self.graph().nodes:
            with self.scratch(None) as empty:
                made = empty.revision(message or "baseline", autogenerate=True)
        found = self.check(anywhere=True)
        stamped = found.ok or accept
        if stamped:
            self.stamp("heads")
        return results.Baseline(made, found, stamped)

    def _refuse_protected(self, verb: str) -> None:
        from .upgrading.protecting import is_protected

        for database in self.databases():
            if is_protected(self.policy.protected, database.engine):
                raise RefusedError(
                    f"{database.url} is protected, and {verb} applies what nobody has read.",
                    "Write the revision, read it, then:  flask db upgrade",
                )
