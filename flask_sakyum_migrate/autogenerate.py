"""New revision files: from the differences between models and databases, empty, or a merge."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from alembic import util
from alembic.autogenerate import RevisionContext, render_python_code
from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from .errors import ConfigError, DatabaseBehindError, HistoryError
from .results import CheckResult, NewRevision
from .revisions import Graph
from .runtime.environment import StepFunction
from .runtime.run import is_empty


def comparison(context: RevisionContext, graph: Graph) -> StepFunction:
    """Make the function that compares one database with its models, inside the environment.

    Where only ``revision_environment`` asks for the environment, nothing is compared.
    """

    def fn(heads: tuple[str, ...], migration_context: MigrationContext) -> list[Any]:
        if not context.command_args["autogenerate"]:
            context.run_no_autogenerate(heads, migration_context)
            return []
        if graph.ancestors(graph.known(heads)) != set(graph.nodes):
            raise _behind(graph, heads, migration_context)
        context.run_autogenerate(heads, migration_context)
        return []

    return fn


def revision_context(config: Config, script: ScriptDirectory, **arguments: Any) -> RevisionContext:
    """Collect what Alembic needs for a new revision; missing arguments are its defaults."""
    defaults: dict[str, Any] = {
        "message": None, "autogenerate": False, "sql": False, "head": "head", "splice": False,
        "branch_label": None, "version_path": None, "rev_id": None, "depends_on": None,
    }  # fmt: skip
    arguments["message"] = in_docstring(arguments.get("message"))
    return RevisionContext(config, script, defaults | arguments)


def in_docstring(message: str | None) -> str | None:
    """Escape what would end the docstring of a template, or mean something else in it."""
    if message is None:
        return None
    text = message.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return text[:-1] + '\\"' if text.endswith('"') and not text.endswith('\\"') else text


def run_options(context: RevisionContext) -> dict[str, Any]:
    """Return what the environment is run with for a new revision: nothing is changed by it."""
    return {
        "dont_mutate": True,
        "template_args": context.template_args,
        "revision_context": context,
        "as_sql": bool(context.command_args["sql"]),
    }


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


def write(context: RevisionContext, tokens: str) -> list[NewRevision]:
    """Write the revision files; those without changes, when changes were asked for, are left out.

    :param tokens: the text of script.py.mako, which has to have a place for each bind's changes.
    """
    revisions = context.generated_revisions
    if context.command_args["autogenerate"]:
        revisions[:] = [one for one in revisions if not is_empty(one)]
        for one in revisions:
            _check_tokens(one, tokens)
    with writing(Path(context.script_directory.dir)):
        made = list(context.generate_scripts())
    return [new_revision(script) for script in made if script is not None]


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


def check_result(context: RevisionContext) -> CheckResult:
    """Put what a comparison found into data."""
    differences: list[Any] = []
    operations: list[str] = []
    for script in context.generated_revisions:
        for ops in script.upgrade_ops_list:
            differences.extend(ops.as_diffs())
            if not ops.is_empty():
                operations.extend(_code(ops))
    return CheckResult(tuple(differences), tuple(operations))


def _code(ops: Any) -> list[str]:
    """Render operations as the lines of code of a revision."""
    code = textwrap.dedent("    " + render_python_code(ops))
    lines = [line.rstrip() for line in code.splitlines()]
    return [line for line in lines if line and not line.startswith("# ###")]


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


def _behind(graph: Graph, heads: tuple[str, ...], context: MigrationContext) -> DatabaseBehindError:
    assert context.connection is not None
    url = context.connection.engine.url.render_as_string(hide_password=True)
    pending = graph.pending(heads)
    names = ", ".join(node.message for node in pending[:5]) + (", ..." if len(pending) > 5 else "")
    count = f"{len(pending)} revision{'s' if len(pending) > 1 else ''}"
    tops = ", ".join(node.id for node in graph.effective_heads)
    return DatabaseBehindError(
        f"{url} is at {', '.join(heads) or 'no revision'}, {count} behind head {tops} ({names}).",
        "Run:  flask db upgrade",
        pending=tuple(node.id for node in pending),
    )
