"""What checks and examinations found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    :param text: what is wrong.
    :param hint: what to type next.
    :param bind: the bind key of the database it is about; empty when it is about the files.
    :param path: the file it is about; None when there is none.
    :param line: the line in it.
    """

    text: str
    hint: str = ""
    bind: str = ""
    path: Path | None = None
    line: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The answer to one question of a check.

    :param name: ``database`` (the models against the database), ``heads`` (the files by
        themselves), ``models`` (the models against the revisions) or ``drift`` (the revisions
        against the database).
    :param findings: what is wrong; none when it is fine.
    :param operations: the code that would mend it, where there is any.
    :param note: what was not looked at, and why.
    :param broken: the files are no history, so that no other question has an answer.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    operations: tuple[str, ...] = ()
    note: str = ""
    broken: bool = False

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return not self.findings


@dataclass(frozen=True)
class Verdicts:
    """The answers to all questions that were asked.

    :param verdicts: in the order they were asked.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return all(one.ok for one in self.verdicts)


@dataclass(frozen=True)
class Examined:
    """What an examination found out about one thing.

    :param name: what was looked at: ``env.py``, ``drift``.
    :param state: ``ok``, ``look`` (it works, and somebody should look), ``wrong``, or ``skipped``.
    :param text: what is.
    :param hint: what mends it.
    """

    name: str
    state: str
    text: str
    hint: str = ""


@dataclass(frozen=True)
class Examination:
    """What an examination of everything found out.

    :param checks: one for each thing that was looked at.
    """

    checks: tuple[Examined, ...]

    @property
    def ok(self) -> bool:
        """There is nothing wrong."""
        return not any(one.state == "wrong" for one in self.checks)
