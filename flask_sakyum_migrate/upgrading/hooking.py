"""The functions and signals of the application, called around the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..hooks import Hooks
from ..runtime.guards import Guard, Running, Target


class Hooking(Guard):
    """Calls the hooks of the application.

    :param called: the binds that ``before_upgrade`` was called for, in all tries of the run.
    """

    def __init__(self, target: Target, hooks: Hooks, called: set[str]) -> None:
        super().__init__(target)
        self._hooks = hooks
        self._called = called

    @contextmanager
    def session(self, planned: Sequence[Running]) -> Iterator[None]:
        """Call ``before_upgrade``, which may raise to stop the run."""
        visit = self.target.visit
        if self.target.verb == "upgrade" and visit.bind not in self._called:
            self._called.add(visit.bind)
            self._hooks.call("before_upgrade", visit, left="Nothing was upgraded on this database.")
        yield

    @contextmanager
    def step(self, running: Running) -> Iterator[None]:
        """Call ``before_step`` inside the transaction of the step."""
        self._call("before_step", running)
        yield

    def applied(self, running: Running) -> None:
        """Call ``after_step``, still inside the transaction."""
        self._call("after_step", running)

    def _call(self, moment: str, running: Running) -> None:
        context = self.target.context
        undone = context.impl.transactional_ddl and not context.opts.get("in_no_transaction")
        left = "The revision was rolled back." if undone else "What the revision has done stays."
        self._hooks.call(moment, running.as_step(), self.target.connection, left=left)
