"""What writes files: a new folder, new revisions. What compares models with databases for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import results
from .binds import metadata_tuple
from .errors import ConfigError, HistoryError
from .project import Session, alembic_words, read_text
from .reading import no_steps
from .revisions.graph import several_heads
from .running import Running
from .wishes import Wishes

if TYPE_CHECKING:
    import sqlalchemy as sa


class Writing(Running):
    """The part of `Repository` that writes files. The parameters are those of `Project`."""

    def init(self, template: str | None = None, *, package: bool = False) -> Path:
        """Make the migrations folder; a relative one in the working directory.

        :param template: the name of a template of this package, or the path of a folder.
        :param package: add ``__init__.py`` files.
        :raises ConfigError: the folder is not empty or cannot be written.
        """
        from .creating import create_folder

        with self.context():
            plain = not hasattr(self.source.db, "Model")
            return create_folder(
                Path(self.directory), template, package=package, without_model=plain
            )

    def revision(
        self,
        message: str | None = None,
        *,
        autogenerate: bool = False,
        bind: str | None = None,
        wishes: Wishes | None = None,
        ask: Callable[[Any], Any] | None = None,
        dry_run: bool = False,
        **arguments: Any,
    ) -> results.NewRevision | None:
        """Write a revision file.

        :param autogenerate: fill it with what turns the databases into the models.
        :param bind: the only bind to compare.
        :param wishes: what cannot be decided by comparing: renames, drops.
        :param ask: answers what is open then, such as a `RenameQuestion`; None: it is refused.
        :param dry_run: write nothing; the result has the text of the file.
        :param arguments: ``head splice branch_label version_path rev_id depends_on sql``, with
            the meaning they have for Alembic.
        :returns: the file; None when there was nothing to write.
        :raises ConfigError: the file would not run.
        :raises DatabaseBehindError: a database is not at head, so it cannot be compared.
        :raises RefusedError: it would lose what nobody said may go.
        """
        from . import autogenerate as generating

        folder = self.folder
        graph = self.graph(folder)
        if (arguments.get("head") or "head") == "head" and len(graph.heads) > 1:
            raise several_heads(graph.heads)
        generating.check_names(graph, arguments.get("rev_id"), arguments.get("branch_label"))
        for name in [arguments.get("head") or "head", *(arguments.get("depends_on") or ())]:
            graph.find(name)
        if autogenerate and arguments.get("sql"):
            raise ConfigError(
                "--sql does without a database, and there is nothing to compare then."
            )
        if autogenerate:
            self.import_models()
            generating.refuse_unmapped(self.source.db)
        session = self.open(["autogenerate"] if autogenerate else [], graph=graph)
        wishes = wishes or Wishes()
        pipeline = generating.pipeline(wishes, graph, writing=True, ask=ask)
        context = generating.revision_context(
            session.config,
            session.script,
            pipeline if autogenerate else None,
            message=message,
            autogenerate=autogenerate,
            **arguments,
        )
        if autogenerate or session.asks_for_environment:
            render = generating.render_item
            self._compare(session, context, pipeline, wishes, bind=bind, render_item=render)
        if autogenerate:
            pipeline.finish()
        for note in pipeline.notes:
            self.policy.tell(note)
        with alembic_words():
            template = read_text(folder.path / "script.py.mako")
            made = generating.write(
                context, template, pipeline.lines, headers=graph.headers, dry_run=dry_run
            )
        if not made:
            return None
        postponed = tuple(pipeline.postponed)
        return replace(made[0], changes=pipeline.told(), postponed=postponed)

    def merge(
        self,
        revisions: Sequence[str] = (),
        *,
        message: str | None = None,
        branch_label: str | None = None,
        rev_id: str | None = None,
        splice: bool = False,
    ) -> results.NewRevision:
        """Write a revision that joins others; without ``revisions``, all heads.

        :param splice: allow revisions that are not heads.
        :raises HistoryError: there is nothing to join.
        """
        from . import autogenerate as generating
        from .runtime.environment import Run

        graph = self.graph()
        nodes = [node for one in revisions for node in graph.find(one)] or graph.heads
        wanted = list(dict.fromkeys(node.id for node in nodes))
        if len(wanted) < 2:
            raise HistoryError(
                f"There is nothing to merge: {', '.join(wanted) or 'no revision'} is the only "
                f"{'one named' if revisions else 'head'}."
            )
        generating.check_names(graph, rev_id, branch_label)
        session = self.open(graph=graph)
        if session.asks_for_environment:
            self.run(session, Run(no_steps, options={"dont_mutate": True}))
        with alembic_words():
            return generating.merge(
                session.config,
                session.script,
                wanted,
                message=message,
                branch_label=branch_label,
                rev_id=rev_id,
                splice=splice,
            )

    def check(
        self,
        bind: str | None = None,
        *,
        connection: sa.Connection | None = None,
        anywhere: bool = False,
        wishes: Wishes | None = None,
        fast: bool = True,
    ) -> results.CheckResult:
        """Compare the models with the databases.

        :param connection: compare with what it sees; for the default bind when ``bind`` is None.
        :param anywhere: compare whatever revision a database is at.
        :param wishes: what cannot be decided by comparing.
        :param fast: leave out the tables that a few queries prove to be what the models say; the
            answer is the same.
        :raises DatabaseBehindError: a database is not at head.
        """
        from . import autogenerate as generating

        self.import_models()
        wishes = wishes or Wishes()
        session = self.open()
        pipeline = generating.pipeline(wishes, session.graph, writing=False)
        context = generating.revision_context(
            session.config, session.script, pipeline, autogenerate=True
        )
        self._compare(
            session,
            context,
            pipeline,
            wishes,
            anywhere=anywhere,
            fast=fast,
            bind=bind,
            connection=connection,
        )
        for note in pipeline.notes:
            self.policy.tell(note)
        return generating.check_result(context, pipeline)

    # ---- below the verbs ---------------------------------------------------------------------

    def _compare(
        self,
        session: Session,
        context: Any,
        pipeline: Any,
        wishes: Wishes,
        *,
        anywhere: bool = False,
        fast: bool = True,
        **run: Any,
    ) -> None:
        """Compare the databases with the models, inside the environment.

        :param run: further arguments of `Run`.
        """
        from . import autogenerate as generating
        from .runtime.environment import Run

        equal = generating.Equal() if fast else None
        refuse = self._refuse(wishes)
        fn = generating.comparison(context, session.graph, refuse, anywhere=anywhere, equal=equal)
        comparing = generating.configuring(pipeline, self.policy.ignore_tables, equal)
        options = generating.run_options(context)
        self.run(session, Run(fn, options=options, comparing=comparing, **run))

    def _refuse(self, wishes: Wishes) -> Callable[[Any], None]:
        """Make what refuses to compare a database with models that nobody imported."""
        from .autogenerate import refuse_empty

        known = self.folder.env.is_known

        def refuse(context: Any) -> None:
            here = metadata_tuple(context.opts["target_metadata"] or ())
            # In a folder for several binds one of them may well have no table.
            binds = self.source.binds() if known else ()
            everywhere = [*here, *(one for bind in binds for one in bind.metadata)]
            if not wishes.allow_drop:
                refuse_empty(self.source.db, everywhere, self.beside[:1])

        return refuse
