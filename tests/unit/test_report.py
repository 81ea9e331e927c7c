"""The text of the reading commands is that of Alembic's own, byte for byte."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from alembic import util
from alembic.config import Config

from flask_sakyum_migrate.binds import Source
from flask_sakyum_migrate.cli import report
from flask_sakyum_migrate.repository import Repository
from flask_sakyum_migrate.runtime.known import EnvKind

HISTORIES = Path(__file__).parent.parent / "histories"
NAMES = ["linear", "branched", "merged", "depends", "bases"]
REVISIONS = sorted(
    (name, path.name.partition("_")[0])
    for name in NAMES
    for path in (HISTORIES / name / "versions").glob("*.py")
)


@pytest.fixture(autouse=True)
def names_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic prints sets in whatever order they have this time; here they are sorted."""
    inner = util.format_as_comma

    def format_as_comma(value: Any) -> str:
        return inner(sorted(value) if isinstance(value, set | frozenset) else value)

    monkeypatch.setattr(util, "format_as_comma", format_as_comma)


def repository(name: str) -> Repository:
    return Repository(HISTORIES / name, Source())


def alembic_says(name: str, command: str, *args: Any, **options: Any) -> str:
    buffer = io.StringIO()
    config = Config(str(HISTORIES / name / "alembic.ini"), stdout=buffer)
    getattr(alembic.command, command)(config, *args, **options)
    return buffer.getvalue()


def printed(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def children_in_order(text: str) -> list[str]:
    """The branch points of a text; what follows each is sorted, as Alembic takes it from a set."""
    points = text.split("\n\n" if "Rev: " not in text else "\n\nRev: ")
    return ["\n".join(sorted(point.splitlines())) for point in points]


def entries(text: str, verbose: bool) -> list[str]:
    return sorted(text.split("\nRev: ") if verbose else text.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_is_one_that_init_makes(name: str) -> None:
    assert repository(name).folder.env is EnvKind.OURS


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_history(name: str, verbose: bool) -> None:
    ours = printed(report.history(repository(name), None, verbose, False))
    assert ours == alembic_says(name, "history", verbose=verbose)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    ("name", "rev_range"),
    [
        ("linear", "bb22:cc33"),
        ("linear", "bb22:"),
        ("linear", ":cc33"),
        ("linear", "base:head"),
        ("linear", "-2:"),
        ("linear", "bb22:+1"),
        ("linear", "dd44:dd44"),
        ("branched", "bb22:"),
        ("branched", "bb22:shop@head"),
        ("branched", ":cc33"),
        ("branched", "shop@base:heads"),
        ("merged", "bb22:"),
        ("merged", "bb22:dd44"),
        ("depends", ":xx22"),
        ("depends", "xx11:xx33"),
        ("bases", ":mm11"),
        ("bases", "aa11:heads"),
    ],
)
def test_history_of_a_range(name: str, rev_range: str, verbose: bool) -> None:
    ours = printed(report.history(repository(name), rev_range, verbose, False))
    theirs = alembic_says(name, "history", rev_range=rev_range, verbose=verbose)
    assert entries(ours, verbose) == entries(theirs, verbose)
    assert ours


@pytest.mark.parametrize("resolve", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_heads(name: str, verbose: bool, resolve: bool) -> None:
    ours = printed(
        report.entry(node) if verbose else report.line(node, labels=True, tree=False)
        for node in repository(name).heads(resolve_dependencies=resolve)
    )
    theirs = alembic_says(name, "heads", verbose=verbose, resolve_dependencies=resolve)
    assert ours == theirs


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_branches(name: str, verbose: bool) -> None:
    ours = printed(
        report.branch(node, children, verbose=verbose)
        for node, children in repository(name).branches()
    )
    theirs = alembic_says(name, "branches", verbose=verbose)
    assert children_in_order(ours) == children_in_order(theirs)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize(("name", "revision"), REVISIONS)
def test_show(name: str, revision: str) -> None:
    ours = printed(report.entry(node) for node in repository(name).find(revision))
    assert ours == alembic_says(name, "show", revision)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("linear", "head"),
        ("linear", "heads"),
        ("linear", "base"),
        ("linear", "-1"),
        ("linear", "bb"),
        ("branched", "heads"),
        ("branched", "shop"),
        ("branched", "shop@head"),
        ("branched", "till@head"),
        ("depends", "heads"),
        ("depends", "stock@head"),
        ("bases", "heads"),
        ("bases", "shop@base"),
    ],
)
def test_show_by_symbol(name: str, symbol: str) -> None:
    ours = printed(report.entry(node) for node in repository(name).find(symbol))
    assert ours == alembic_says(name, "show", symbol)


@pytest.mark.parametrize("name", NAMES)
def test_what_marks_where_a_database_is(name: str) -> None:
    """Alembic's marks for a database, without one."""
    from alembic.script import Script, ScriptDirectory

    directory = ScriptDirectory.from_config(Config(str(HISTORIES / name / "alembic.ini")))
    for node in repository(name).graph().nodes.values():
        script = directory.get_revision(node.id)
        assert isinstance(script, Script)
        script._db_current_indicator = True
        assert report.entry(node, current=True) == script.log_entry
        assert report.line(
            node, parents=True, labels=True, doc=True, current=True
        ) == script.cmd_format(False, True, True, True)
        assert report.line(node, current=True) == script.cmd_format(False)


def test_a_path_is_what_the_folder_was_called(tmp_path: Path) -> None:
    """Alembic prints the whole path of a file, also where the folder was named by a short one."""
    node = repository("linear").get("aa11")
    assert report.entry(node).splitlines()[2] == (
        f"Path: {HISTORIES.resolve()}/linear/versions/aa11_create_users.py"
    )


@pytest.mark.parametrize("text", ["", "aa11", "aa11-bb22"])
def test_what_is_not_a_range(text: str) -> None:
    from flask_sakyum_migrate.errors import HistoryError

    with pytest.raises(HistoryError, match=f"{text} is not a range"):
        list(report.history(repository("linear"), text, False, False))
