"""Write revision files: with changes, empty, or a merge."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import util
from alembic.autogenerate import RevisionContext
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.script import Script, ScriptDirectory

from ...errors import ConfigError, HistoryError
from ...results.comparing import NewRevision
from ...revisions import Graph, Header
from ...runtime.run import is_empty
from ...runtime.scripts import writing_to
from ..differences.pipeline import Pipeline
from ..differences.report import slug
from .proofreading import proofread


def revision_context(
    config: Config, script: ScriptDirectory, pipeline: Pipeline | None = None, **arguments: Any
) -> RevisionContext:
    """Collect what Alembic needs for a new revision; missing arguments are its defaults.

    :param pipeline: edits the differences of each bind.
    """
    defaults: dict[str, Any] = {
        "message": None, "autogenerate": False, "sql": False, "head": "head", "splice": False,
        "branch_label": None, "version_path": None, "rev_id": None, "depends_on": None,
    }  # fmt: skip
    arguments["message"] = in_docstring(arguments.get("message"))
    return RevisionContext(config, script, defaults | arguments, pipeline)


def in_docstring(message: str | None) -> str | None:
    """Escape what would end the docstring of a template, or mean something else in it."""
    if message is None:
        return None
    text = message.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return text[:-1] + '\\"' if text.endswith('"') and not text.endswith('\\"') else text


def check_names(graph: Graph, rev_id: str | None, label: str | None) -> None:
    """Refuse an id or a label for a new revision that is taken, or that Alembic cannot use.

    :raises HistoryError: names the file that has it.
    """
    for name in (rev_id, label):
        if name is not None and name in graph.labels:
            raise HistoryError(f"{graph.labels[name].path} has the branch label {name} already.")
    if label is not None and label in graph:
        raise HistoryError(f"{graph.nodes[label].path} has the revision id {label} already.")
    if rev_id is None:
        return
    if rev_id in graph:
        raise HistoryError(f"{graph.nodes[rev_id].path} has the revision id {rev_id} already.")
    illegal = sorted(set(rev_id) & set("@-+:"))
    if illegal:
        raise HistoryError(
            f"A revision id cannot have the character {illegal[0]}, which stands for something "
            f"else on the command line: {rev_id}"
        )


def write(
    context: RevisionContext,
    tokens: str,
    lines: Sequence[str] = (),
    *,
    headers: Iterable[Header] = (),
    dry_run: bool = False,
) -> list[NewRevision]:
    """Write the revision files; those without changes, when changes were asked for, are left out.

    :param tokens: the text of script.py.mako, which has to have a place for each bind's changes.
    :param lines: one for each change: what the message is made of when nobody gave one.
    :param headers: of the revision files that are there.
    :param dry_run: return what would be written, with its text, and write nothing.
    :raises ConfigError: a file cannot be written, or would not run.
    """
    revisions = context.generated_revisions
    if context.command_args["autogenerate"]:
        revisions[:] = [one for one in revisions if not is_empty(one)]
        for one in revisions:
            _check_tokens(one, tokens)
            if one.message is None:
                one.message = in_docstring(slug(lines) or None)
    rehearsed = _rehearse(context, list(headers))
    if dry_run:
        return rehearsed
    with writing(Path(context.script_directory.dir)):
        made = list(context.generate_scripts())
    return [new_revision(script) for script in made if script is not None]


def _rehearse(context: RevisionContext, headers: Sequence[Header]) -> list[NewRevision]:
    """Write the revision files to a temporary folder, read them and return them as if in place.

    :raises ConfigError: one would not run.
    """
    real, revisions = context.script_directory, context.generated_revisions
    places = [one.version_path for one in revisions]
    with TemporaryDirectory() as name:
        folder = Path(name)
        context.script_directory = writing_to(folder, real, headers)
        for one in revisions:
            one.version_path = None
        try:
            with writing(Path(real.dir)), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they come when the file is written in place
                made = list(context.generate_scripts())
        except Exception:  # Alembic runs what it has written
            _proofread_all(folder)
            raise
        finally:
            context.script_directory = real
            for one, place in zip(revisions, places, strict=True):
                one.version_path = place
        _proofread_all(folder)
        return [
            _in_place(script, place, real, folder)
            for script, place in zip(made, places, strict=True)
            if script is not None
        ]


def _proofread_all(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        proofread(path.read_text("utf-8"), str(path.relative_to(folder)))


def _in_place(
    script: Script, place: str | None, real: ScriptDirectory, folder: Path
) -> NewRevision:
    """Describe a rehearsed revision as what would be written."""
    made = new_revision(script)
    known = real.version_locations or [str(Path(real.dir, "versions"))]
    if place is None and len(known) > 1 and made.down:
        above = real.get_revision(made.down[0])
        place = str(Path(above.path).parent)
    path = Path(place or known[0]) / made.path.resolve().relative_to(folder.resolve())
    return replace(made, path=path, text=made.path.read_text("utf-8"))


def merge(
    config: Config,
    script: ScriptDirectory,
    revisions: Sequence[str],
    *,
    message: str | None,
    branch_label: str | None,
    rev_id: str | None,
    splice: bool,
) -> NewRevision:
    """Write a revision that joins others."""
    with writing(Path(script.dir)):
        made = script.generate_revision(
            rev_id or util.rev_id(),
            in_docstring(message),
            refresh=True,
            head=tuple(revisions),
            branch_labels=branch_label,
            splice=splice,
            config=config,
        )
    if made is None:
        raise HistoryError("The new file is not a revision: look at file_template in alembic.ini.")
    return new_revision(made)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in words that a file cannot be written; keep what post-write hooks print to itself."""
    try:
        with redirect_stdout(io.StringIO()):
            yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} cannot be written: {error.strerror}.",
            "May this user write to the folder?",
        ) from error


def new_revision(script: Script) -> NewRevision:
    """Describe a revision file that was just written."""
    down = script.down_revision
    parents = (down,) if isinstance(down, str) else tuple(down or ())
    return NewRevision(script.revision, Path(script.path), script.doc, parents)


def _check_tokens(script: MigrationScript, template: str) -> None:
    for ops in script.upgrade_ops_list:
        token = str(ops.upgrade_token)
        if not ops.is_empty() and token != "upgrades" and "_upgrades" not in template:  # noqa: S105
            raise ConfigError(
                f"script.py.mako of this folder has no place for the changes of the bind "
                f"{token.removesuffix('_upgrades')}.",
                "Take the script.py.mako of a new folder:  flask db -d new_migrations init",
                token=token,
            )
