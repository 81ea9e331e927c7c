"""What the verbs of a repository return: small frozen records, a module for each family of verbs.

Each record takes about half a millisecond to be made by ``dataclass``. So a family is imported when
one of its records is needed, and a command is not slower for those of the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import Examination as Examination
    from .checking import Examined as Examined
    from .checking import Finding as Finding
    from .checking import Verdict as Verdict
    from .checking import Verdicts as Verdicts
    from .comparing import Baseline as Baseline
    from .comparing import Change as Change
    from .comparing import CheckResult as CheckResult
    from .comparing import NewRevision as NewRevision
    from .comparing import Trial as Trial
    from .comparing import Update as Update
    from .foretelling import DatabasePlan as DatabasePlan
    from .foretelling import Plan as Plan
    from .foretelling import PlannedOperation as PlannedOperation
    from .foretelling import PlannedStep as PlannedStep
    from .foretelling import Sql as Sql
    from .operation import HalfApplied as HalfApplied
    from .operation import PrepareResult as PrepareResult
    from .operation import RanStatement as RanStatement
    from .operation import RunRecord as RunRecord
    from .operation import Seeded as Seeded
    from .questions import DefaultQuestion as DefaultQuestion
    from .questions import Question as Question
    from .questions import RenameQuestion as RenameQuestion
    from .rows import Cleaned as Cleaned
    from .rows import Loaded as Loaded
    from .running import Position as Position
    from .running import Step as Step
    from .running import UpgradeResult as UpgradeResult
    from .running import Visit as Visit
    from .standing import DatabaseStatus as DatabaseStatus
    from .standing import RevisionStatus as RevisionStatus
    from .standing import Status as Status

_FAMILIES = {
    "checking": ("Examination", "Examined", "Finding", "Verdict", "Verdicts"),
    "comparing": ("Baseline", "Change", "CheckResult", "NewRevision", "Trial", "Update"),
    "foretelling": ("DatabasePlan", "Plan", "PlannedOperation", "PlannedStep", "Sql"),
    "operation": ("HalfApplied", "PrepareResult", "RanStatement", "RunRecord", "Seeded"),
    "questions": ("DefaultQuestion", "Question", "RenameQuestion"),
    "rows": ("Cleaned", "Loaded"),
    "running": ("Position", "Step", "UpgradeResult", "Visit"),
    "standing": ("DatabaseStatus", "RevisionStatus", "Status"),
}
_FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Give a record, from the module of its family."""
    if name not in _FAMILY_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_FAMILY_OF[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_FAMILY_OF)
