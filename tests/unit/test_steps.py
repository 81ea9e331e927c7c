"""The steps change the version table as Alembic's own do, in the same order, without its walks."""

from __future__ import annotations

import io
import itertools
import random
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionError, RevisionMap
from alembic.util import CommandError

from flask_sakyum_migrate.errors import HistoryError
from flask_sakyum_migrate.revisions import Graph, Header, read_folder
from flask_sakyum_migrate.runtime.scripts import LinearMap, script_directory
from flask_sakyum_migrate.runtime.steps import StepFunction
from flask_sakyum_migrate.upgrading.steps import downgrade_steps, upgrade_steps
from tests.unit.test_graph import header, random_history, random_rows

SEEDS = range(300)
HISTORIES = Path(__file__).parent.parent / "histories"
_MAKERS = {"upgrade": upgrade_steps, "downgrade": downgrade_steps}


class Directory(ScriptDirectory):
    """A folder whose revisions are in memory."""

    def __init__(self, kind: type[RevisionMap], headers: Sequence[Header]) -> None:
        super().__init__(str(HISTORIES))
        self.revision_map = kind(lambda: [_script(one) for one in headers])


def _script(one: Header) -> Script:
    module: Any = ModuleType(one.revision)
    module.revision, module.down_revision = one.revision, one.down or None
    module.branch_labels, module.depends_on = one.labels or None, one.depends or None
    module.upgrade = module.downgrade = lambda: None
    return Script(module, one.revision, one.path)


def theirs(script: ScriptDirectory, verb: str, target: str) -> StepFunction:
    """The steps as `alembic.command` has them made."""
    if verb == "upgrade":
        return lambda heads, context: script._upgrade_revs(target, heads)  # type: ignore[arg-type]
    return lambda heads, context: script._downgrade_revs(target, heads)  # type: ignore[arg-type]


Changes = list[tuple[str, frozenset[str], list[str]]]


def run(fn: StepFunction, rows: Sequence[str]) -> Changes | None:
    """Run steps in SQL mode.

    :returns: for each its revision, the rows after it and what was done to the rows; None where
        there is no such way, and where Alembic asks for a row that is not there.
    """
    seen: list[tuple[str, frozenset[str]]] = []

    def note(*, step: Any, heads: set[str], **other: Any) -> None:
        seen.append((step.up_revision_id, frozenset(heads)))

    out = io.StringIO()
    options = {"as_sql": True, "output_buffer": out, "starting_rev": tuple(rows) or None}
    context = MigrationContext.configure(
        dialect_name="sqlite", opts={**options, "fn": fn, "on_version_apply": (note,)}
    )
    try:
        context.run_migrations()
    except (CommandError, RevisionError, AssertionError, KeyError, HistoryError):
        return None
    parts = out.getvalue().split("-- Running ")[1:]
    # Of several rows that a merge leaves, Alembic updates any one: a set says which.
    words = [sorted(line.split()[0] for line in part.splitlines()[1:] if line) for part in parts]
    return [(*one, done) for one, done in zip(seen, words, strict=True)]


def check(changes: Changes, verb: str, rows: Sequence[str], graph: Graph) -> None:
    """Each step adds or takes one revision, and leaves a row for each end of what is applied."""
    applied = graph.ancestors(graph.known(rows))
    for revision, after, _ in changes:
        now = graph.ancestors(graph.known(after))
        assert now == (applied | {revision} if verb == "upgrade" else applied - {revision})
        assert after == ends(now, graph)
        applied = now


def ends(applied: Collection[str], graph: Graph) -> set[str]:
    return {one for one in applied if not any(up in applied for up in graph.nodes[one].dependents)}


def compare(
    alembic: ScriptDirectory, ours: ScriptDirectory, graph: Graph, chance: random.Random
) -> tuple[int, int]:
    """Compare ways up and down between random places.

    :returns: how many there were, and on how many Alembic lost its way: where a revision stands on
        another and on what is below that, it asks for a row that is not there, or leaves one that
        another implies, which its next command refuses.
    """
    ways = lost = 0
    labels = [f"{label}@base" for label in graph.labels]
    for verb in ("upgrade", "downgrade"):
        rows = random_rows(graph, chance)
        if chance.random() < 0.5:
            rows = [] if verb == "upgrade" else [one.id for one in graph.effective_heads]
        some = [chance.choice(list(graph.nodes)), *labels[:1], "base"]
        for target in ["heads", some[0]] if verb == "upgrade" else some:
            expected = run(theirs(alembic, verb, target), rows)
            found = run(_MAKERS[verb](ours, graph, target), rows)
            if found is None:
                assert expected is None, (verb, rows, target)
                continue
            ways += 1
            check(found, verb, rows, graph)
            if found != expected:
                lost += 1
                assert expected is None or any(
                    ends(graph.ancestors(graph.known(after)), graph) != after
                    for _, after, _ in expected
                ), (verb, rows, target)
    return ways, lost


def has_shortcut(graph: Graph) -> bool:
    """Tell whether a revision stands on another and on, or depends on, what is below that."""
    return any(
        one in graph.ancestors(graph.nodes[other] for other in node.parents if other != one)
        for node in graph.nodes.values()
        for one in node.parents
    )


def test_random_histories() -> None:
    plain = 0
    for seed in SEEDS:
        headers = random_history(seed)
        graph = Graph(headers)
        alembic, ours = Directory(RevisionMap, headers), Directory(LinearMap, headers)
        ways, lost = compare(alembic, ours, graph, random.Random(seed))
        if not has_shortcut(graph):
            plain += ways
            assert not lost, seed
    assert plain > 600


def test_a_merge_that_depends_on_what_is_below_it_already() -> None:
    """Alembic ends with a KeyError here."""
    headers = [
        header("aa11"),
        header("bb22", "aa11"),
        header("xx11"),
        header("mm11", ["bb22", "xx11"], depends="aa11"),
    ]
    assert run(theirs(Directory(RevisionMap, headers), "upgrade", "heads"), []) is None
    changes = run(upgrade_steps(Directory(LinearMap, headers), Graph(headers), "heads"), [])
    assert changes is not None
    assert changes[-1] == ("mm11", frozenset({"mm11"}), ["DELETE", "UPDATE"])


def test_a_dependency_of_what_is_below_gets_no_row() -> None:
    """Alembic leaves both aa11 and bb22, and its next upgrade says that they overlap."""
    headers = [
        header("aa11", labels="stock"),
        header("bb22", "aa11"),
        header("cc33", "bb22", depends="stock"),
        header("xx11"),
    ]
    rows = ["xx11", "cc33"]
    left = run(theirs(Directory(RevisionMap, headers), "downgrade", "bb22"), rows)
    assert left is not None
    assert left[-1][1] == {"xx11", "aa11", "bb22"}
    ours = run(downgrade_steps(Directory(LinearMap, headers), Graph(headers), "bb22"), rows)
    assert ours is not None
    assert ours[-1][1] == {"xx11", "bb22"}


@pytest.mark.parametrize("name", ["linear", "branched", "merged", "depends", "bases"])
def test_histories_of_files(name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(HISTORIES / name))
    headers = read_folder([HISTORIES / name / "versions"])
    ours = script_directory(config, headers)
    assert isinstance(ours.revision_map, LinearMap)
    graph, alembic = Graph(headers), ScriptDirectory.from_config(config)
    for seed in range(10):
        ways, lost = compare(alembic, ours, graph, random.Random(seed))
        assert ways
        assert not lost


# ---- how long it takes -----------------------------------------------------------------------


def line(prefix: str, count: int, below: str) -> list[Header]:
    names = [below, *(f"{prefix}{number}" for number in range(count))]
    return [header(name, down) for down, name in itertools.pairwise(names)]


def diamonds(count: int) -> list[Header]:
    """Two branches and a merge, again and again."""
    found = [header("t0")]
    for number in range(1, count // 3):
        sides = [f"{side}{number}" for side in "ab"]
        found += [header(side, f"t{number - 1}") for side in sides]
        found.append(header(f"t{number}", sides))
    return found


def two_branches(count: int) -> list[Header]:
    branches = line("a", count // 2, "t0"), line("b", count // 2, "t0")
    ends = [branch[-1].revision for branch in branches]
    return [header("t0"), *branches[0], *branches[1], header("merged", ends)]


def beside(count: int) -> list[Header]:
    """Diamonds, and a branch that is never merged."""
    return [*diamonds(count // 2), *line("s", count // 2, "t0")]


def depending(count: int) -> list[Header]:
    first = line("a", count // 2, "t0")
    second = line("b", count // 2, "t0")
    pairs = zip(first, second, strict=True)
    depends = [header(two.revision, two.down, depends=one.revision) for one, two in pairs]
    return [header("t0"), *first, *depends]


def features(count: int) -> list[Header]:
    """Each merge takes in a branch that began at the first revision."""
    found = [header("t0")]
    for number in range(1, count // 2):
        found.append(header(f"s{number}", "t0"))
        found.append(header(f"t{number}", [f"t{number - 1}", f"s{number}"]))
    return found


def single_line(count: int) -> list[Header]:
    return [header("t0"), *line("a", count - 1, "t0")]


@pytest.mark.parametrize("make", [single_line, two_branches, diamonds, beside, depending, features])
def test_no_walk_for_each_step(
    make: Callable[[int], list[Header]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The underscore names of Alembic that are replaced here are what walked; none does now."""
    headers = make(3000)
    ours, graph = Directory(LinearMap, headers), Graph(headers)
    ours.revision_map.heads  # noqa: B018  (reads the revisions)
    walked = 0
    ancestors = RevisionMap._get_ancestor_nodes

    def counting(self: RevisionMap, *args: Any, **kwargs: Any) -> Any:
        nonlocal walked
        for one in ancestors(self, *args, **kwargs):
            walked += 1
            yield one

    monkeypatch.setattr(RevisionMap, "_get_ancestor_nodes", counting)
    tops = tuple(node.id for node in graph.effective_heads)
    started = time.process_time()
    for fn, rows, last in (
        (upgrade_steps(ours, graph, "heads"), set(), set(tops)),
        (downgrade_steps(ours, graph, "base"), set(tops), set()),
    ):
        for step in fn(tuple(rows), None):  # type: ignore[arg-type]
            apply(step, rows)
        assert rows == last
    assert walked <= 3 * len(headers)
    assert time.process_time() - started < 2  # 0.1 here; 5 and more with Alembic's


def apply(step: MigrationStep, rows: set[str]) -> None:
    """Change rows as Alembic's HeadMaintainer does."""
    assert isinstance(step, RevisionStep)
    if step.should_delete_branch(rows):
        rows.remove(step.delete_version_num)
    elif step.should_create_branch(rows):
        rows.add(step.insert_version_num)
    elif step.should_merge_branches(rows):
        deleted, before, after = step.merge_branch_idents(rows)
        rows.difference_update([*deleted, before])
        rows.add(after)
    elif step.should_unmerge_branches(rows):
        before, after, inserted = step.unmerge_branch_idents(rows)
        rows.remove(before)
        rows.update([after, *inserted])
    else:
        before, after = step.update_version_num(rows)
        rows.remove(before)
        rows.add(after)


def test_names_of_alembic_that_are_replaced() -> None:
    """Where one is gone, Alembic's own way is taken again: look what it became."""
    assert callable(RevisionMap._topological_sort)
    assert callable(RevisionStep._unmerge_to_revisions)
    found = RevisionMap(lambda: [Revision("a", ()), Revision("b", ()), Revision("c", ("a", "b"))])
    merge = found.get_revision("c")
    assert merge is not None and merge._normalized_down_revisions == ("a", "b")
