"""What was measured, as Markdown for people and as numbers for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median

from tests.benchmarks import peers
from tests.benchmarks.peers import Peer
from tests.benchmarks.timing import Case

YARDSTICK = peers.FLASK_MIGRATE.name
STAND = f"{peers.OURS.name}: current"
PINGS = (peers.BASE, peers.ALEMBIC, peers.DJANGO)
_SHOWN = ("Flask", "Flask-SQLAlchemy", "SQLAlchemy", "alembic")
_TITLES = {
    "other": "Any other command of the application (the ping, with the extension)",
    "current": "`current`",
    "heads": "`heads`",
    "stand": "Where it stands: every command that tells it, held against `current` of this package",
    "head": "`upgrade` when already at head",
    "empty": "`upgrade` from empty",
    "base": "`downgrade` to base",
}
_ABOUT = """\
Whole processes that took turns; medians. *ping* loads the application, connects and reads the
version row: the Flask tools are held against that of the same application without any migration
extension, Alembic and Django against their own. Plain Alembic loads no application and no models.
x: of Flask-Migrate; of the whole it is the median of the ratios round by round. Fastest: the
fastest run less the fastest ping, which noise from other work disturbs less.
"""


@dataclass(frozen=True)
class Machine:
    """Where and with what it was measured; ``load`` is the load average before the first run."""

    load: float
    versions: dict[str, str]
    no_pyc: bool


@dataclass(frozen=True)
class Group:
    """The commands that took turns with each other: one measure at one size on one database.

    :param missing: the tools that have no such command.
    """

    name: str
    size: int
    database: str
    cases: list[Case]
    missing: list[str]

    def case(self, tool: str) -> Case | None:
        """Return the case with this label."""
        return next((case for case in self.cases if case.tool == tool), None)


@dataclass(frozen=True)
class Row:
    """One line of a table, times in milliseconds; None: nothing to compare with."""

    measure: str
    revisions: int
    database: str
    tool: str
    runs: int
    whole: float
    least: float
    most: float
    cpu: float
    whole_x: float | None
    over_ping: float | None
    over_ping_least: float | None
    over_ping_x: float | None


@dataclass(frozen=True)
class Start:
    """What one extension adds to the start of an application."""

    tool: str
    runs: int
    import_ms: float
    private_mb: float | None
    modules: float
    loads: list[str]
    whole: float
    over_base: float


def rows(group: Group) -> list[Row]:
    """Return the lines of a group in the order in which its tools took turns."""
    yardstick = group.case(STAND if group.name == "stand" else YARDSTICK)
    return [_row(group, case, yardstick) for case in group.cases]


def starts(group: Group) -> list[Start]:
    """Return the lines of the start-up table; the application alone is the first."""
    base = median(run.wall for run in group.cases[0].runs)
    return [_start(case, base) for case in group.cases]


def markdown(groups: list[Group], machine: Machine) -> str:
    """Return the report."""
    parts = [_heading(machine)]
    parts += [_start_table(group) for group in groups if group.name == "startup"]
    for name, title in _TITLES.items():
        if chosen := [group for group in groups if group.name == name]:
            parts.append(f"## {title}\n\n{_table(chosen)}")
    return "\n".join(parts)


def numbers(groups: list[Group], machine: Machine) -> dict[str, object]:
    """Return every number of the report, and the single runs, for ``--json``."""
    startup = [group for group in groups if group.name == "startup"]
    commands = [group for group in groups if group.name != "startup"]
    return {
        "machine": asdict(machine) | _platform(),
        "startup": [asdict(line) for group in startup for line in starts(group)],
        "commands": [asdict(row) for group in commands for row in rows(group)],
        "runs": [_runs(group, case) for group in groups for case in group.cases],
    }


def _row(group: Group, case: Case, yardstick: Case | None) -> Row:
    walls = _walls(case)
    over = _over_ping(group, case, median)
    theirs = _over_ping(group, yardstick, median) if yardstick else None
    return Row(
        measure=group.name,
        revisions=group.size,
        database=group.database,
        tool=case.tool,
        runs=len(walls),
        whole=median(walls),
        least=min(walls),
        most=max(walls),
        cpu=median(run.cpu for run in case.runs),
        whole_x=median(_ratios(case, yardstick)) if yardstick else None,
        over_ping=over,
        over_ping_least=_over_ping(group, case, min),
        over_ping_x=over / theirs if over is not None and theirs and theirs > 0 else None,
    )


def _walls(case: Case) -> list[float]:
    return [run.wall for run in case.runs]


def _ratios(case: Case, yardstick: Case) -> Iterable[float]:
    return [ours.wall / theirs.wall for ours, theirs in zip(case.runs, yardstick.runs, strict=True)]


def _over_ping(group: Group, case: Case, middle: Callable[[list[float]], float]) -> float | None:
    """Return by how much a command is slower than the ping of its kind; None for a ping."""
    ping = group.case(f"{_ping_of(case.tool).name}: ping")
    if ping is None or ping is case:
        return None
    return middle(_walls(case)) - middle(_walls(ping))


def _ping_of(tool: str) -> Peer:
    name = tool.partition(":")[0]
    return next((peer for peer in PINGS if peer.name == name), peers.BASE)


def _start(case: Case, base: float) -> Start:
    told = [json.loads(run.output) for run in case.runs]
    memory = [one["private_kb"] for one in told if one["private_kb"] is not None]
    whole = median(run.wall for run in case.runs)
    return Start(
        case.tool,
        len(told),
        median(one["ms"] for one in told),
        median(memory) / 1024 if memory else None,
        median(one["modules"] for one in told),
        told[0]["loads"],
        whole,
        whole - base,
    )


def _start_table(group: Group) -> str:
    lines = [
        "## Start of an application\n",
        "| extension | import + init ms | private memory MB | modules | loads | whole ms | over |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in starts(group):
        memory = "" if line.private_mb is None else f"+{line.private_mb:.2f}"
        loads = ", ".join(line.loads) or "neither"
        lines.append(
            f"| {line.tool} | {line.import_ms:.2f} | {memory} | +{line.modules:.0f} | {loads} "
            f"| {line.whole:.0f} | {line.over_base:+.0f} |"
        )
    return (
        "\n".join(lines) + f"\n\nLoads: alembic and mako. Medians of {len(group.cases[0].runs)}.\n"
    )


def _table(groups: list[Group]) -> str:
    lines = [
        "| revisions | database | tool | n | whole ms (range) | x | over ping ms (fastest) | x "
        "| CPU ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group in groups:
        lines += [_line(row) for row in rows(group)]
        for tool in group.missing:
            where = f"{group.size} | {group.database}"
            lines.append(f"| {where} | {tool} | | no such command | | | | |")
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    return (
        f"| {row.revisions} | {row.database} | {row.tool} | {row.runs} "
        f"| {row.whole:.0f} ({row.least:.0f}-{row.most:.0f}) | {_text(row.whole_x, '.2f')} "
        f"| {_over(row)} | {_text(row.over_ping_x, '.2f')} | {row.cpu:.0f} |"
    )


def _over(row: Row) -> str:
    if row.over_ping is None:
        return ""
    return f"{row.over_ping:+.0f} ({row.over_ping_least:+.0f})"


def _text(number: float | None, shape: str) -> str:
    return "" if number is None else format(number, shape)


def _heading(machine: Machine) -> str:
    shown = [peers.DJANGO, peers.FLASK_MIGRATE, peers.FLASK_ALEMBIC, peers.OURS]
    names = [*_SHOWN, *(peer.name for peer in shown)]
    known = {name.lower().replace("_", "-"): text for name, text in machine.versions.items()}
    versions = [f"{name} {known[name.lower()]}" for name in names if name.lower() in known]
    where = _platform()
    pyc = "no pyc of the revisions" if machine.no_pyc else "pyc warm"
    return (
        f"# Migration tools side by side\n\n"
        f"{where['python']}, {where['system']}, {where['cpus']} CPUs, "
        f"load {machine.load:.1f} before. {pyc}. {', '.join(versions)}.\n\n{_ABOUT}"
    )


def _platform() -> dict[str, str]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "cpus": str(os.cpu_count()),
    }


def _runs(group: Group, case: Case) -> dict[str, object]:
    timed = [{"wall": run.wall, "cpu": run.cpu} for run in case.runs]
    return {
        "measure": group.name,
        "revisions": group.size,
        "database": group.database,
        "tool": case.tool,
        "runs": timed,
    }
