"""Measure whole processes of the migration tools side by side and write a Markdown report.

``python tests/benchmarks/run.py --sizes 100 1000 5000 --rounds 7``. The first run makes the virtual
environments, which takes a minute. Not a part of the test suite. The tools take turns round by
round; each run is checked to have done its work. With ``--url`` the databases named there are
emptied many times: give it some of its own, ``--url sqlite postgresql://... mysql+pymysql://...``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks import peers, projects, report
from tests.benchmarks.databases import NAMES, Database, backend
from tests.benchmarks.history import steps
from tests.benchmarks.peers import Peer
from tests.benchmarks.projects import Project
from tests.benchmarks.report import Group
from tests.benchmarks.timing import Case, Run, WrongResultError, measure, say

MEASURES = ("startup", "other", "current", "heads", "stand", "head", "empty", "base")
STAND = ["ping", "current", "heads", "history", "status", "pending", "showmigrations"]
SLOW = 5000


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    sizes: list[int]
    rounds: int
    slow_rounds: int
    only: list[str]
    peers: list[Peer]
    no_pyc: bool
    url: list[str]
    json: Path | None


def main() -> None:
    """Measure what is asked for; the report goes to stdout, progress to stderr."""
    options = _options()
    load = os.getloadavg()[0]
    for peer in options.peers:
        peers.environment(peer)
    database = Database(peers.environment(peers.BASE))
    groups = [
        group
        for size in options.sizes
        for url in options.url
        for group in _measure_size(options, size, url, database)
    ]
    machine = report.Machine(load, _versions(options.peers), options.no_pyc)
    sys.stdout.write(report.markdown(groups, machine))
    if options.json:
        options.json.write_text(json.dumps(report.numbers(groups, machine), indent=1), "utf-8")


def _measure_size(options: Options, size: int, url: str, database: Database) -> list[Group]:
    where = NAMES[backend(url)]
    say(f"{size} revisions, {where}: writing the projects")
    made = [
        projects.write(peers.environment(peer), size, None if url == "sqlite" else url)
        for peer in (peers.BASE, *options.peers)
        if not (peer is peers.DJANGO and backend(url) == "mysql")  # it has no driver for it here
    ]
    os.sync()
    found = []
    for name in options.only:
        again = size != options.sizes[0] or url != options.url[0]
        if name == "startup" and (again or options.no_pyc):
            continue  # it does not depend on the revisions, nor on the database
        cases = _cases(name, made, database, options)
        rounds = options.slow_rounds if _is_slow(name, size) else options.rounds
        say(f"{size} revisions, {where}: {name}, {rounds} rounds of {len(cases)} commands")
        if not _is_slow(name, size):
            _warm_up(cases)
        measure(cases, rounds)
        found.append(Group(name, size, where, cases, _missing(name, made)))
    return found


def _missing(name: str, made: list[Project]) -> list[str]:
    """Return the tools that have migrations, but no command like this one."""
    asked = name in ("current", "heads")
    lacking = [project for project in made if asked and name not in project.commands]
    return [project.peer.name for project in lacking if project.peer is not peers.BASE]


def _is_slow(name: str, size: int) -> bool:
    return name in ("empty", "base") and size >= SLOW


def _warm_up(cases: list[Case]) -> None:
    """Run each once, so that the files are in memory before the first run that counts."""
    for case in cases:
        case.run()


def _cases(name: str, made: list[Project], database: Database, options: Options) -> list[Case]:
    """Return what one group measures: the commands, and the pings they are compared with."""
    names = [name] if name == "startup" else ["ping", name]
    if name == "current":
        names.append("showmigrations")
    if name == "stand":
        names = STAND
    return [
        _case(command, name, project, database, options)
        for project in made
        for command in names
        if command in project.commands and (command != "ping" or _has_use(project, names))
    ]


def _has_use(project: Project, names: list[str]) -> bool:
    """Return whether a ping of this project is held against anything in its group."""
    return project.peer is peers.BASE or any(name in project.commands for name in names[1:])


def _case(command: str, group: str, project: Project, database: Database, options: Options) -> Case:
    label = project.peer.name if command == group else f"{project.peer.name}: {command}"
    prepare = _prepare(command, group, project, database, options)
    verify = partial(_verify, command, project, database)
    environ = project.environ(write_pyc=not options.no_pyc)
    return Case(label, project.argv(command), project.folder, environ, prepare, verify)


def _prepare(
    command: str, group: str, project: Project, database: Database, options: Options
) -> Callable[[], None]:
    """Return what is done before each run of a command, outside of its time."""
    if group not in ("startup", "empty", "base"):
        database.fill(project)

    def prepare() -> None:
        if options.no_pyc:
            project.forget_pyc()
        if command == "empty":
            database.clear(project)
        elif group in ("empty", "base"):
            database.fill(project)

    return prepare


def _verify(command: str, project: Project, database: Database, run: Run) -> None:
    """Check that a command did what it is timed for.

    :raises WrongResultError: when it did not.
    """
    is_django = project.peer is peers.DJANGO
    last = steps(project.size)[-1]
    name = last.django_name if is_django else last.revision
    expected = {
        "ping": name,
        "current": name,
        "heads": name,
        "history": name,
        "status": f"applied  {name}",
        "pending": "Nothing is pending.",
        "other": name,
        "showmigrations": f"[X] {name}",
        "head": "No migrations to apply" if is_django else "",
    }
    worked = expected.get(command, "") in run.output
    if command == "head":
        worked = worked and "Running upgrade" not in run.output
    if command == "empty":
        worked = database.at_head(project)
    if command == "base":
        worked = database.at_base(project)
    if not worked:
        raise WrongResultError(f"{project.peer.name}: {command} wrote:\n{run.output[-2000:]}")


def _versions(chosen: list[Peer]) -> dict[str, str]:
    found: dict[str, str] = {}
    for peer in chosen:
        found.update(peers.environment(peer).versions())
    return found


def _options() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--slow-rounds", type=int, default=1, help=f"of 'empty' and 'base' from {SLOW} on"
    )
    parser.add_argument("--only", type=_names(MEASURES), default=list(MEASURES))
    parser.add_argument("--peers", type=_names([peer.name for peer in peers.PEERS]))
    parser.add_argument(
        "--no-pyc", action="store_true", help="with the revisions not compiled, as in a container"
    )
    parser.add_argument(
        "--url",
        type=_database,
        nargs="+",
        default=["sqlite"],
        help="databases to use (and empty): sqlite, or the URL of one in PostgreSQL or MariaDB",
    )
    parser.add_argument("--json", type=Path, help="write all numbers to this file, too")
    asked = vars(parser.parse_args())
    return Options(**asked | {"peers": _chosen_peers(asked["peers"])})


def _database(text: str) -> str:
    if backend(text) not in NAMES:
        raise argparse.ArgumentTypeError(f"{text} is no URL of {', '.join(NAMES.values())}")
    return text


def _chosen_peers(names: list[str] | None) -> list[Peer]:
    chosen = [peer for peer in peers.PEERS if names is None or peer.name in names]
    if peers.OURS in chosen and not peers.ours_is_there():
        say(f"{peers.OURS.name} is not there yet: left out")
        chosen.remove(peers.OURS)
    return chosen


def _names(known: tuple[str, ...] | list[str]) -> Callable[[str], list[str]]:
    """Return a reader of a comma list in which only known names may stand."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(
                f"{', '.join(sorted(unknown))} is none of {', '.join(known)}"
            )
        return names

    return read


if __name__ == "__main__":
    main()
