"""Times whole processes, one round of all of them after the other."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class WrongResultError(Exception):
    """A process that was timed did not do what it was timed for."""


@dataclass(frozen=True)
class Run:
    """One process that ran: wall clock and CPU (its own and the kernel's), in milliseconds."""

    wall: float
    cpu: float
    output: str


@dataclass
class Case:
    """A command that is timed, and the runs it has had.

    :param prepare: called before each run, not timed.
    :param verify: called with each run, not timed; raises when it did not do its work.
    """

    tool: str
    argv: list[str]
    folder: Path
    environ: dict[str, str]
    prepare: Callable[[], None] = lambda: None
    verify: Callable[[Run], None] = lambda run: None
    runs: list[Run] = field(default_factory=list)

    def run(self) -> Run:
        """Prepare, run the command once in a process of its own, and verify what it did.

        :raises WrongResultError: when it fails, or does not do what it should.
        """
        self.prepare()
        run = _timed(self.argv, self.folder, self.environ)
        self.verify(run)
        return run


def measure(cases: Sequence[Case], rounds: int) -> None:
    """Run every case once per round; each round begins with another case than the one before."""
    for number in range(rounds):
        first = number % len(cases)
        for case in (*cases[first:], *cases[:first]):
            case.runs.append(case.run())


def say(text: str) -> None:
    """Write a line of progress where it does not mix with the results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _timed(argv: list[str], folder: Path, environ: dict[str, str]) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as file:
        start = time.perf_counter()
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
        wall = time.perf_counter() - start
        file.seek(0)
        output = file.read().decode(errors="replace")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise WrongResultError(f"{' '.join(argv)} exited with {done.returncode}:\n{output[-2000:]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Run(wall * 1000, cpu * 1000, output)
