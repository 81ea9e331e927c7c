"""Which guards watch over the steps of a database."""

from __future__ import annotations

from ..hooks import Hooks
from ..policy import Policy
from ..runtime.guards import Guard, MakeGuards, Target
from . import mysql, postgresql
from .created import CreatedByHand
from .hooking import Hooking
from .journal.noting import Journal
from .own_ways import OwnCommits, OwnConnections
from .runs import Runs


def make_guards(policy: Policy, hooks: Hooks) -> MakeGuards:
    """Make the function that gives the guards of a database, for all tries of one run.

    The order matters: the first is entered first and left last.
    """
    waiting = postgresql.Waiting()
    called: set[str] = set()

    def guards(target: Target) -> list[Guard]:
        found: list[Guard] = [CreatedByHand(target)]
        if policy.runs_table is not None:
            found.append(Runs(target, policy))
        if target.dialect == "postgresql":
            found.append(postgresql.Patience(target, policy, waiting))
        if target.dialect == "sqlite":
            # Not at the top: a Python for other databases may be built without sqlite3.
            from .sqlite.backup import Backup
            from .sqlite.recreation import Recreation

            found += [Recreation(target, policy), Backup(target, policy)]
        if target.dialect == "mysql":
            found.append(mysql.Patience(target, policy))
        found.append(Journal(target, policy))
        found.append(Hooking(target, hooks, called))
        found += [OwnCommits(target), OwnConnections(target)]
        return found

    return guards
