"""The graph of revisions answers as Alembic does, which is asked the same on random histories."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from alembic.script.revision import Revision as AlembicRevision
from alembic.script.revision import RevisionError, RevisionMap

from flask_sakyum_migrate.errors import HistoryError
from flask_sakyum_migrate.revisions import Graph, Header, Revision

SEEDS = range(40)


def header(
    revision: str,
    down: str | Sequence[str] = (),
    *,
    labels: str | Sequence[str] = (),
    depends: str | Sequence[str] = (),
    doc: str = "",
) -> Header:
    def several(value: str | Sequence[str]) -> tuple[str, ...]:
        return (value,) if isinstance(value, str) else tuple(value)

    return Header(
        revision, several(down), several(labels), several(depends), doc, f"versions/{revision}.py"
    )


def graph(*headers: Header) -> Graph:
    return Graph(headers)


def alembic(headers: Iterable[Header]) -> RevisionMap:
    """What Alembic makes of the same files."""
    return RevisionMap(
        lambda: [AlembicRevision(h.revision, h.down, h.depends, h.labels) for h in headers]
    )


def random_history(seed: int) -> list[Header]:
    """Make up to 14 revisions with branches, merges, bases, labels and dependencies."""
    chance = random.Random(seed)
    ids: list[str] = []
    headers: list[Header] = []
    labels = ["shop", "till", "stock", "staff"]
    branchy = chance.choice([0.1, 0.3, 0.6])
    for _ in range(chance.randint(1, 14)):
        revision = f"{chance.getrandbits(48):012x}"
        below = {down for one in headers for down in one.down}
        heads = [one for one in ids if one not in below]
        down: list[str] = []
        if ids and chance.random() > 0.12:
            down = [chance.choice(ids if chance.random() < branchy else heads)]
            if len(heads) > 1 and chance.random() < 0.25:
                down = chance.sample(heads, 2)
        depends: list[str] = []
        if ids and chance.random() < 0.25:
            depends = chance.sample(ids, min(len(ids), chance.choice([1, 1, 2])))
        own: list[str] = []
        if labels and chance.random() < 0.2:
            own = [labels.pop()]
        used = [one.labels[0] for one in headers if one.labels]
        if used and chance.random() < 0.1:
            depends = [chance.choice(used)]
        headers.append(header(revision, down, labels=own, depends=depends))
        ids.append(revision)
    chance.shuffle(headers)
    return headers


def random_rows(history: Graph, chance: random.Random) -> list[str]:
    """Make what a version table can hold: the ends of a part that has all it stands on."""
    some = chance.sample(list(history.nodes), chance.randint(0, min(3, len(history))))
    applied = history.ancestors(history.nodes[one] for one in some)
    return [
        one for one in applied if not any(up in applied for up in history.nodes[one].dependents)
    ]


def ids(nodes: Iterable[Any]) -> list[str]:
    return [node.id if isinstance(node, Revision) else node.revision for node in nodes]


def stands_before(order: Sequence[str], history: Graph) -> bool:
    """Tell whether each revision comes before all it stands or depends on."""
    place = {one: number for number, one in enumerate(order)}
    return all(
        place[one] < place[parent]
        for one in order
        for parent in history.nodes[one].parents
        if parent in place
    )


# ---- against Alembic -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_heads_and_bases(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    assert ids(ours.heads) == list(theirs.heads)
    assert ids(ours.effective_heads) == list(theirs._real_heads)
    assert ids(ours.bases) == list(theirs.bases)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_each_revision_is(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    for one, node in ours.nodes.items():
        other = theirs.get_revision(one)
        assert other is not None
        assert node.is_head == other.is_head
        assert node.is_effective_head == other._is_real_head
        assert node.is_base == other.is_base
        assert node.is_branch_point == other.is_branch_point
        assert node.is_merge_point == other.is_merge_point
        assert set(node.children) == set(other.nextrev)
        assert len(node.children) == len(other.nextrev)
        assert set(node.dependents) == set(other._all_nextrev)
        assert len(node.dependents) == len(other._all_nextrev)
        assert sorted(node.parents) == sorted(other._all_down_revisions)


@pytest.mark.parametrize("seed", SEEDS)
def test_pending_is_what_alembic_would_run(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    chance = random.Random(seed)
    for _ in range(6):
        rows = random_rows(ours, chance)
        for target in ("heads", chance.choice(list(ours.nodes))):
            wanted = theirs.iterate_revisions(target, tuple(rows), implicit_base=True)
            pending = ids(ours.pending(rows, target))
            assert sorted(pending) == sorted(ids(wanted))
            assert stands_before(pending[::-1], ours)


@pytest.mark.parametrize("seed", SEEDS)
def test_current_is_what_alembic_shows(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    chance = random.Random(seed)
    for _ in range(6):
        rows = random_rows(ours, chance)
        assert set(ids(ours.current(rows))) == set(ids(theirs._get_all_current(tuple(rows))))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_range_is_what_alembic_walks(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    chance = random.Random(seed)
    pairs = [("base", "heads"), *((chance.choice(list(ours.nodes)), "heads") for _ in range(4))]
    pairs += [("base", chance.choice(list(ours.nodes))) for _ in range(3)]
    pairs += [tuple(chance.choices(list(ours.nodes), k=2)) for _ in range(6)]  # type: ignore[misc]
    for base, head in pairs:
        try:
            # Not iterate_revisions(): its sorting fails an assertion of its own where the range
            # has less than all that the head depends on.
            expected, _ = theirs._collect_upgrade_revisions(
                head, base, inclusive=True, implicit_base=False, assert_relative_length=False
            )
        except RevisionError:
            with pytest.raises(HistoryError):
                ours.between(base, head)
            continue
        order = ids(ours.between(base, head))
        assert sorted(order) == sorted(ids(expected)), (base, head)
        assert stands_before(order, ours)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_history_is_sorted(seed: int) -> None:
    headers = random_history(seed)
    ours = Graph(headers)
    order = ids(ours.sort(ours.nodes))
    assert sorted(order) == sorted(ours.nodes)
    assert stands_before(order, ours)


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_a_line_is_walked_in_the_order_of_alembic(length: int) -> None:
    headers = [header(f"r{n:03}", f"r{n - 1:03}" if n else ()) for n in range(length)]
    random.Random(length).shuffle(headers)
    walked = alembic(headers).iterate_revisions("heads", "base", inclusive=True)
    assert ids(Graph(headers).between("base", "heads")) == ids(walked)


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_spread_as_in_alembic(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    for one, node in ours.nodes.items():
        other = theirs.get_revision(one)
        assert other is not None
        assert set(node.labels) == set(other.branch_labels), one
        assert len(node.labels) == len(set(node.labels))


@pytest.mark.parametrize("seed", SEEDS)
def test_symbols_name_what_they_name_in_alembic(seed: int) -> None:
    headers = random_history(seed)
    ours, theirs = Graph(headers), alembic(headers)
    chance = random.Random(seed)
    branches = [label for one in headers for label in one.labels] + chance.choices(
        list(ours.nodes), k=2
    )
    names = ["head", "heads", "base", *chance.choices(list(ours.nodes), k=3)]
    symbols = [*names, *branches, *(f"{branch}@{name}" for branch in branches for name in names)]
    symbols += [name[:length] for name in names[3:] for length in (4, 7, 11)]
    for symbol in symbols:
        try:
            expected = ids(one for one in theirs.get_revisions(symbol) if one is not None)
        except RevisionError:
            with pytest.raises(HistoryError):
                ours.find(symbol)
            continue
        assert sorted(ids(ours.find(symbol))) == sorted(expected), symbol


# ---- small facts -----------------------------------------------------------------------------


LINE = (header("aa11", doc="first"), header("bb22", "aa11"), header("cc33", "bb22"))
FORK = (
    header("aa11"),
    header("bb22", "aa11", labels="shop", doc="shop"),
    header("cc33", "aa11", labels="till", doc="till"),
    header("dd44", "bb22"),
)
TWO_TREES = (
    header("aa11", labels="shop"),
    header("bb22", "aa11"),
    header("xx11", labels="till"),
    header("xx22", "xx11", depends="bb22"),
)


def test_an_empty_folder() -> None:
    empty = graph()
    assert (empty.heads, empty.bases, empty.effective_heads, len(empty)) == ([], [], [], 0)
    assert empty.find("head") == empty.find("heads") == empty.find("base") == []
    assert empty.pending([]) == empty.current([]) == empty.between("base", "heads") == []


def test_the_message_of_a_revision_is_its_first_paragraph() -> None:
    node = graph(header("aa11", doc="add a\nuser\n\nRevision ID: aa11")).nodes["aa11"]
    assert node.message == "add a\nuser"


def test_head_is_one_revision() -> None:
    assert graph(*LINE).get("head").id == "cc33"


def test_head_of_two_says_what_to_do() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(*FORK).get("head")
    assert str(caught.value) == (
        "The revisions end in 2 heads:\n"
        "  cc33  till  (versions/cc33.py)\n"
        "  dd44    (versions/dd44.py)\n"
        'Join them:  flask db merge -m "merge"   '
        "(or go to all of them:  flask db upgrade heads)"
    )
    assert caught.value.heads == ("cc33", "dd44")


def test_a_head_that_another_one_depends_on_is_no_row() -> None:
    history = graph(*TWO_TREES)
    assert ids(history.heads) == ["bb22", "xx22"]
    assert ids(history.effective_heads) == ["xx22"]
    assert ids(history.current(["xx22"])) == ["bb22", "xx22"]


def test_a_dependency_is_run_before_what_depends_on_it() -> None:
    assert ids(graph(*TWO_TREES).pending([], "xx22")) in (
        ["aa11", "bb22", "xx11", "xx22"],
        ["xx11", "aa11", "bb22", "xx22"],
        ["aa11", "xx11", "bb22", "xx22"],
    )


def test_a_branch_has_its_own_head() -> None:
    history = graph(*FORK)
    assert history.get("shop@head").id == "dd44"
    assert history.get("till@head").id == "cc33"
    assert history.get("bb22@head").id == "dd44"
    assert history.find("shop@base") == []


def test_a_branch_does_not_reach_over_a_dependency() -> None:
    """Alembic follows `down_revision` alone when it asks what belongs to a branch."""
    history = graph(*TWO_TREES)
    assert history.get("shop@head").id == "bb22"
    assert ids(history.find("shop@heads")) == ["bb22"]
    with pytest.raises(HistoryError, match="Revision xx22 is not on the branch shop"):
        history.get("shop@xx22")


def test_a_head_of_a_branch_that_forks_is_ambiguous() -> None:
    history = graph(*FORK, header("ee55", "bb22"))
    with pytest.raises(HistoryError) as caught:
        history.get("shop@head")
    assert caught.value.heads == ("dd44", "ee55")
    assert ids(history.find("shop@heads")) == ["dd44", "ee55"]


def test_a_range_that_begins_at_the_base_of_a_branch_has_only_that_branch() -> None:
    headers = (header("aa11", labels="shop"), header("bb22", "aa11"), header("xx11"))
    walked = alembic(headers).iterate_revisions("heads", "shop@base", inclusive=True)
    assert ids(walked) == ["bb22", "aa11"]
    assert ids(graph(*headers).between("shop@base", "heads")) == ["bb22", "aa11"]
    walked = alembic(FORK).iterate_revisions("heads", "shop@base", inclusive=True)
    assert ids(walked) == ["dd44", "bb22", "aa11"]
    assert ids(graph(*FORK).between("shop@base", "heads")) == ["dd44", "bb22", "aa11"]


def test_the_beginning_of_an_id_is_enough() -> None:
    history = graph(header("abcd1234"), header("abce1234", "abcd1234"))
    assert history.get("abcd").id == "abcd1234"
    assert history.get("abce12").id == "abce1234"


def test_the_whole_id_goes_before_the_beginning_of_another() -> None:
    assert graph(header("abcd"), header("abcd1234", "abcd")).get("abcd").id == "abcd"


def test_an_ambiguous_beginning_names_what_it_could_be() -> None:
    history = graph(header("abcd1234"), header("abcd5678", "abcd1234"))
    with pytest.raises(HistoryError) as caught:
        history.get("abcd")
    assert str(caught.value) == (
        "2 revisions begin with abcd: abcd1234, abcd5678\nType more characters of the one you mean."
    )
    assert caught.value.revisions == ("abcd1234", "abcd5678")


def test_a_beginning_is_looked_up_inside_its_branch() -> None:
    headers = (header("abcd1234", labels="shop"), header("abcd5678", labels="till"))
    assert ids(one for one in alembic(headers).get_revisions("till@abcd") if one) == ["abcd5678"]
    assert graph(*headers).get("till@abcd").id == "abcd5678"


def test_an_unknown_revision() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(*LINE).get("9f1c")
    assert str(caught.value) == (
        "No revision is called 9f1c, and no id begins like that.\n"
        "The revisions of this folder: flask db history"
    )
    assert caught.value.revision == "9f1c"


@pytest.mark.parametrize("symbol", ["", "@head", "base@head", "heads@head", "nowhere@head"])
def test_a_symbol_that_names_nothing_is_an_error_in_words(symbol: str) -> None:
    """An empty one comes from an empty variable in a deploy script."""
    with pytest.raises(HistoryError):
        graph(header("aa11")).get(symbol)


def test_base_is_no_revision() -> None:
    assert graph(*LINE).find("base") == []
    with pytest.raises(HistoryError, match="base is before the first revision"):
        graph(*LINE).get("base")


def test_a_row_that_no_file_has() -> None:
    for ask in (graph(*LINE).current, graph(*LINE).pending, graph(*LINE).known):
        with pytest.raises(HistoryError) as caught:
            ask(["aa11", "9f1c"])
        assert caught.value.message == (
            "The database is at revision 9f1c, which no file in the migrations folder has."
        )
        assert caught.value.revisions == ("9f1c",)


def test_a_range_the_wrong_way_round() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(*LINE).between("cc33", "aa11")
    assert caught.value.message == "cc33 is not below aa11."


def test_a_line_is_followed_to_its_end_before_another_begins() -> None:
    order = ids(graph(*FORK).between("base", "heads"))
    assert order in (["cc33", "dd44", "bb22", "aa11"], ["dd44", "bb22", "cc33", "aa11"])


@pytest.mark.parametrize(
    "symbol", ["head", "heads", "base", "aa11", "shop@head", "a_b", "head-2", "aa11+1", "base+3"]
)
def test_symbols_that_stand_for_themselves(symbol: str) -> None:
    assert not graph(*LINE).is_relative(symbol)


@pytest.mark.parametrize("symbol", ["+1", "-1", "shop@-1", "shop@+2"])
def test_symbols_that_count_from_where_a_database_is(symbol: str) -> None:
    assert graph(*LINE).is_relative(symbol)


@pytest.mark.parametrize("symbol", ["head-1", "heads-1", "base+1", "base+2", "-1"])
def test_steps_from_a_revision(symbol: str) -> None:
    history = graph(header("aa11"), header("bb22", "aa11"), header("cc33", "bb22"))
    expected = {"base+1": "aa11"}.get(symbol, "bb22")
    assert history.get(symbol).id == expected
    assert history.get("bb22+1").id == "cc33" and history.get("bb22-1").id == "aa11"


@pytest.mark.parametrize("symbol", ["head+1", "base+4", "aa11-1", "base-1"])
def test_steps_that_lead_nowhere(symbol: str) -> None:
    history = graph(header("aa11"), header("bb22", "aa11"), header("cc33", "bb22"))
    with pytest.raises(HistoryError, match="There is nothing at"):
        history.get(symbol)


def test_steps_that_lead_two_ways() -> None:
    history = graph(header("aa11"), header("bb22", "aa11"), header("cc33", "aa11"))
    with pytest.raises(HistoryError, match="There is 2 ways: bb22, cc33 at aa11"):
        history.get("aa11+1")


# ---- labels ----------------------------------------------------------------------------------


def labels(*headers: Header) -> dict[str, tuple[str, ...]]:
    return {one: node.labels for one, node in graph(*headers).nodes.items()}


def test_a_label_reaches_up_to_the_heads_and_down_to_where_it_branched() -> None:
    assert labels(
        header("aa11"),
        header("bb22", "aa11"),
        header("cc33", "bb22", labels="shop"),
        header("dd44", "cc33"),
        header("ee55", "aa11"),
    ) == {"aa11": (), "bb22": ("shop",), "cc33": ("shop",), "dd44": ("shop",), "ee55": ()}


def test_a_label_does_not_reach_below_a_merge() -> None:
    headers = (
        header("aa11"),
        header("bb22"),
        header("cc33", ("aa11", "bb22")),
        header("dd44", "cc33", labels="shop"),
    )
    theirs = alembic(headers)
    assert {one: bool(theirs.get_revision(one).branch_labels) for one in labels(*headers)} == {  # type: ignore[union-attr]
        "aa11": False, "bb22": False, "cc33": False, "dd44": True,
    }  # fmt: skip
    assert labels(*headers) == {"aa11": (), "bb22": (), "cc33": (), "dd44": ("shop",)}


# ---- what is wrong with a folder -------------------------------------------------------------


def test_two_files_with_one_id_are_both_named() -> None:
    copy = Header("bb22", ("aa11",), (), (), "", "versions/copy.py")
    with pytest.raises(HistoryError) as caught:
        graph(*LINE, copy)
    assert str(caught.value) == (
        "Two files have the revision id bb22: versions/bb22.py and versions/copy.py\n"
        "Delete the copy, or give it an id of its own."
    )
    assert caught.value.paths == ("versions/bb22.py", "versions/copy.py")


def test_a_parent_that_no_file_has() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header("bb22", "aa11"))
    assert str(caught.value) == (
        "versions/bb22.py stands on revision aa11, which no revision file has.\n"
        "Bring that file back, or mend `down_revision`."
    )


def test_one_of_two_parents_that_no_file_has() -> None:
    with pytest.raises(HistoryError, match=r"versions/bb22\.py stands on revision cc33"):
        graph(header("aa11"), header("bb22", ("aa11", "cc33")))


def test_a_dependency_that_no_file_has() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header("aa11", depends="till"))
    assert str(caught.value) == (
        "versions/aa11.py depends on till, which no revision file has.\n"
        "Bring that file back, or mend `depends_on`."
    )


def test_a_circle_is_named_in_order() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(
            header("aa11", "cc33"),
            header("bb22", "aa11"),
            header("cc33", "bb22"),
            header("dd44", "cc33"),
            header("ee55"),
        )
    around = caught.value.revisions
    assert sorted(around) == ["aa11", "bb22", "cc33"]
    stands_on = {"aa11": "cc33", "bb22": "aa11", "cc33": "bb22"}
    assert all(stands_on[one] == other for one, other in itertools.pairwise(around))
    assert f"in a circle: {' -> '.join([*around, around[0]])}  (" in caught.value.message
    for one in ("aa11", "bb22", "cc33"):
        assert f"versions/{one}.py" in caught.value.message
    assert "dd44" not in caught.value.message
    assert "ee55" not in caught.value.message


def test_a_circle_above_a_sound_line_is_found() -> None:
    with pytest.raises(HistoryError, match="in a circle") as caught:
        graph(header("aa11"), header("bb22", ("aa11", "cc33")), header("cc33", "bb22"))
    assert set(caught.value.revisions) == {"bb22", "cc33"}


def test_a_circle_of_dependencies_is_found() -> None:
    with pytest.raises(HistoryError, match="in a circle") as caught:
        graph(header("aa11", depends="bb22"), header("bb22", depends="aa11"))
    assert set(caught.value.revisions) == {"aa11", "bb22"}


def test_a_revision_that_stands_on_itself() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header("aa11", "aa11"))
    assert "aa11 -> aa11" in caught.value.message
    assert caught.value.revisions == ("aa11",)


def test_a_revision_that_depends_on_itself() -> None:
    with pytest.raises(HistoryError, match="aa11 -> aa11"):
        graph(header("aa11", depends="aa11"))


@pytest.mark.parametrize("seed", range(10))
def test_a_circle_in_a_random_history_is_found(seed: int) -> None:
    chance = random.Random(seed)
    history = random_history(seed)
    sound = Graph(history)
    lower = chance.choice(list(sound.nodes))
    upper = chance.choice(sorted(sound.descendants([sound.nodes[lower]])))
    headers = [
        Header(one.revision, (*one.down, upper), one.labels, one.depends, one.doc, one.path)
        if one.revision == lower
        else one
        for one in history
    ]
    with pytest.raises(HistoryError, match="in a circle") as caught:
        Graph(headers)
    around = caught.value.revisions
    on = {one.revision: (*one.down, *one.depends) for one in headers}
    owners = {label: one.revision for one in headers for label in one.labels}
    for one, other in zip(around, (*around[1:], around[0]), strict=True):
        assert other in {owners.get(name, name) for name in on[one]}


def test_a_label_that_two_files_have() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header("aa11", labels="shop"), header("bb22", "aa11", labels="shop"))
    assert caught.value.message == (
        "The branch label shop is used twice: versions/aa11.py and versions/bb22.py"
    )


def test_a_label_that_is_the_id_of_another_file_names_both_files() -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header("aa11"), header("bb22", "aa11", labels="aa11"))
    assert "aa11" in caught.value.message
    assert "versions/aa11.py" in caught.value.message
    assert "versions/bb22.py" in caught.value.message


@pytest.mark.parametrize("revision", ["a:b", "a@b", "a+b", "a-b"])
def test_an_id_with_a_character_of_the_command_line(revision: str) -> None:
    with pytest.raises(HistoryError) as caught:
        graph(header(revision))
    assert str(caught.value) == (
        f"versions/{revision}.py: the revision id {revision} has one of the characters "
        "@ + - : which stand for something else on the command line.\n"
        "Change the id in that file."
    )


# ---- said twice ------------------------------------------------------------------------------


def test_a_parent_that_is_named_twice_has_one_child() -> None:
    history = graph(header("aa11"), header("bb22", ("aa11", "aa11")), header("cc33", "aa11"))
    assert sorted(history.nodes["aa11"].children) == ["bb22", "cc33"]
    order = ids(history.sort(history.nodes))
    assert order[-1] == "aa11"
    assert sorted(order) == ["aa11", "bb22", "cc33"]


def test_a_dependency_that_is_named_by_id_and_by_label_counts_once() -> None:
    history = graph(
        header("aa11", labels="shop"),
        header("bb22", depends=("aa11", "shop")),
        header("cc33", "aa11"),
    )
    assert history.nodes["aa11"].dependents == ["bb22", "cc33"]
    assert ids(history.pending([]))[0] == "aa11"


def test_a_parent_that_is_a_dependency_as_well_counts_once() -> None:
    history = graph(header("aa11"), header("bb22", "aa11", depends="aa11"))
    assert history.nodes["aa11"].dependents == ["bb22"]
    assert history.nodes["bb22"].parents == ("aa11",)
