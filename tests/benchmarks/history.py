"""The history that every project of the benchmark holds: linear, and cheap to run.

Every twentieth revision creates a table and the nineteen after it add a column each: 1,000
revisions make 50 tables.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

PER_TABLE = 20


@dataclass(frozen=True)
class Step:
    """One revision of the history, counted from 1."""

    number: int

    @property
    def revision(self) -> str:
        """The identifier of twelve digits, as Alembic makes them: their order says nothing."""
        return hashlib.sha256(f"revision {self.number}".encode()).hexdigest()[:12]

    @property
    def table(self) -> str:
        """The table this step creates or adds a column to."""
        return f"t{(self.number - 1) // PER_TABLE:04}"

    @property
    def column(self) -> int:
        """The number of the column it adds; 0 when it creates the table."""
        return (self.number - 1) % PER_TABLE

    @property
    def label(self) -> str:
        """What the step does, as a file name would say it."""
        return f"{self.table}_c{self.column:02}" if self.column else f"{self.table}_create"

    @property
    def django_name(self) -> str:
        """The name of this step as a Django migration."""
        return f"{self.number:04}_{self.label}"


def steps(size: int) -> list[Step]:
    """Return a history of ``size`` revisions, the oldest first."""
    return [Step(number) for number in range(1, size + 1)]


def tables(size: int) -> dict[str, list[int]]:
    """Return the tables that a history of ``size`` revisions ends with: name to its columns."""
    found: dict[str, list[int]] = {}
    for step in steps(size):
        columns = found.setdefault(step.table, [])
        if step.column:
            columns.append(step.column)
    return found
