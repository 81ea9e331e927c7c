"""Compare the databases with the models, inside the environment."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import RevisionContext, render_python_code
from alembic.runtime.migration import MigrationContext

from ..binds import metadata_tuple
from ..errors import DatabaseBehindError
from ..results.comparing import Change, CheckResult
from ..revisions import Graph
from ..runtime.steps import StepFunction
from ..wishes import Wishes
from . import seeing
from .constraints import keys, mysql, ordering
from .differences.changes import walk
from .differences.pipeline import Pipeline, Unit
from .fast import Equal
from .filling import not_null
from .refusing import drops, long_names, unusable
from .renaming import renames
from .types import altering, computed
from .writing.rendering import render_item

# In this order. A unit may count on what the ones before it did. Renames are the first: what is
# left of the differences when they are known is found by comparing anew.
_TO_WRITE = (
    drops.leave_alone,
    drops.refuse_most,
    long_names.refuse,
    *seeing.UNITS,
    keys.leave,
    computed.refuse_loss,
    computed.step_aside,
    mysql.know_json,
    mysql.leave_made_indexes,
    mysql.step_aside,
    ordering.order,
    mysql.keep_indexes,
)
_BACK = (
    *seeing.BACK,
    ordering.order,
    mysql.keep_indexes,
    not_null.fill_back,
    altering.mark,
)
_TO_CHECK = (
    renames.follow_models,
    drops.leave_alone,
    *seeing.UNITS,
    mysql.leave_made_indexes,
)


def pipeline(
    wishes: Wishes,
    graph: Graph,
    *,
    writing: bool,
    ask: Callable[[Any], Any] | None = None,
) -> Pipeline:
    """Make what edits the differences before they are written, or reported.

    :param writing: they become a revision, so what cannot be decided stops it.
    :param ask: answers the questions of the units; None: nobody is asked.
    """

    def history() -> str:
        paths = [Path(node.path) for node in graph.nodes.values()]
        return "\n".join(path.read_text("utf-8", errors="replace") for path in paths)

    if not writing:
        return Pipeline((*_TO_CHECK, *seeing.last(seeing.Enums())), wishes, history)
    renaming, enums = renames.Renames(wishes), seeing.Enums(wishes)
    filling = not_null.NotNull(wishes)
    units: tuple[Unit, ...] = (renaming, *_TO_WRITE, filling, altering.mark, *seeing.last(enums))
    last = [renaming.finish, filling.finish, enums.finish]
    return Pipeline(units, wishes, history, ask, last, _BACK)


def comparison(
    context: RevisionContext,
    graph: Graph,
    refuse: Callable[[MigrationContext], None],
    *,
    anywhere: bool = False,
    equal: Equal | None = None,
) -> StepFunction:
    """Make the function that compares one database with its models, inside the environment.

    Where only ``revision_environment`` asks for the environment, nothing is compared. What is
    compared goes through the units of the pipeline before the application's own hook sees it.

    :param refuse: raises where the models cannot be right.
    :param anywhere: compare whatever revision the database is at.
    :param equal: finds the tables that need no comparison.
    """

    def fn(heads: tuple[str, ...], migration_context: MigrationContext) -> list[Any]:
        if not context.command_args["autogenerate"]:
            context.run_no_autogenerate(heads, migration_context)
            return []
        if anywhere:
            heads = tuple(node.id for node in graph.heads)
        elif graph.ancestors(graph.known(heads)) != set(graph.nodes) or (
            not graph.nodes and _tables_of_models(migration_context)
        ):
            raise _behind(graph, heads, migration_context)
        refuse(migration_context)
        in_words = unusable.in_words(_metadata(migration_context), migration_context.dialect)
        with in_words, warnings.catch_warnings():
            # What is warned of is done here: by `ordering`, and by `types.computed`.
            for words in ("Cannot correctly sort tables", "Computed default on"):
                warnings.filterwarnings("ignore", words)
            if equal is not None:
                equal.find(migration_context)
            context.run_autogenerate(heads, migration_context)
        return []

    return fn


def run_options(context: RevisionContext) -> dict[str, Any]:
    """Return what the environment is run with for a new revision: nothing is changed by it."""
    return {
        "dont_mutate": True,
        "template_args": context.template_args,
        "revision_context": context,
        "as_sql": bool(context.command_args["sql"]),
    }


def check_result(context: RevisionContext, pipeline: Pipeline) -> CheckResult:
    """Put what a comparison found into data: what the application's own hook left of it."""
    differences: list[Any] = []
    operations: list[str] = []
    changes: list[Change] = []
    for script in context.generated_revisions:
        for ops in script.upgrade_ops_list:
            differences.extend(ops.as_diffs())
            if not ops.is_empty():
                operations.extend(_code(ops))
                changes.extend(
                    change for one in walk(ops) for change in pipeline.words.get(id(one), ())
                )
    return CheckResult(tuple(differences), tuple(operations), tuple(changes))


def _code(ops: Any) -> list[str]:
    """Render operations as the lines of code of a revision."""
    code = textwrap.dedent("    " + render_python_code(ops, render_item=render_item))
    lines = [line.rstrip() for line in code.splitlines()]
    return [line for line in lines if line and not line.startswith("# ###")]


def _behind(graph: Graph, heads: tuple[str, ...], context: MigrationContext) -> DatabaseBehindError:
    assert context.connection is not None
    url = context.connection.engine.url.render_as_string(hide_password=True)
    pending = graph.pending(heads)
    names = ", ".join(node.message for node in pending[:5]) + (", ..." if len(pending) > 5 else "")
    count = f"{len(pending)} revision{'s' if len(pending) > 1 else ''}"
    tops = ", ".join(node.id for node in graph.effective_heads)
    ids = tuple(node.id for node in pending)
    there = _tables_of_models(context)
    if not heads and there:
        return DatabaseBehindError(
            f"{url} has {', '.join(there[:5])}{', ...' if len(there) > 5 else ''} and no version: "
            "db.create_all() made them.",
            "Adopt the database once with:  flask db baseline",
            pending=ids,
        )
    return DatabaseBehindError(
        f"{url} is at {', '.join(heads) or 'no revision'}, {count} behind head {tops} ({names}).",
        "Run:  flask db upgrade   (or both at once:  flask db migrate --upgrade)",
        pending=ids,
    )


def _metadata(context: MigrationContext) -> Sequence[sa.MetaData]:
    return metadata_tuple(context.opts["target_metadata"] or ())


def _tables_of_models(context: MigrationContext) -> list[str]:
    """Return the tables of the models that the database has."""
    inspector = sa.inspect(context.connection)
    assert inspector is not None
    names = set(inspector.get_table_names())
    return sorted(
        table.name
        for one in _metadata(context)
        for table in one.tables.values()
        if table.schema is None and table.name in names
    )
