"""What the verbs about rows are made of: which tables are meant, where a dump can go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import results
from .binds import Database, sqlite_file
from .errors import DataError, RefusedError
from .project import read_text
from .runtime.others import is_named
from .runtime.own_tables import own_tables
from .standing import Standing

if TYPE_CHECKING:
    from .data.lines import Lines
    from .data.loading import Mode, Receiver
    from .data.manifest import DumpedDatabase
    from .data.sessions import Place
    from .data.tables import Table, Wanted
    from .revisions import Graph


class Reach(Standing):
    """Which rows are meant. The parameters are those of `Project`."""

    def _wanted_in(
        self,
        database: Database,
        version: tuple[str, str | None],
        tables: Sequence[str],
        exclude: Sequence[str],
    ) -> Wanted:
        from .data.tables import Wanted

        name, schema = version
        own = {name, *own_tables(name, self.policy.runs_table or None)}
        schemas = {
            table.schema
            for bind in database.binds
            for metadata in bind.metadata
            for table in metadata.tables.values()
            if table.schema is not None
        }
        return Wanted(
            frozenset(own | {f"{schema}.{one}" for one in own if schema}),
            tuple(schemas | ({schema} if schema else set())),
            frozenset(tables) or None,
            frozenset(exclude),
        )

    def _history_text(self) -> str:
        """Return the text of all revision files."""
        return "\n".join(read_text(Path(node.path)) for node in self.graph().nodes.values())

    def _cleaning_of(self, database: Database, text: str, tables: Sequence[str]) -> Cleaning:
        return Cleaning(self._place("clean", database, tables, ()), text)

    def _place(
        self, verb: str, database: Database, tables: Sequence[str], exclude: Sequence[str]
    ) -> Place:
        """Return a database with what is meant of it, and what keeps upgrades away from it."""
        from .data.sessions import Place
        from .upgrading.lock import Lock

        name, schema = version = self._version_of(database)
        wait = self.policy.lock_wait
        lock = None
        if wait is not None:
            longer = f"MIGRATE_LOCK_WAIT={max(600, 2 * wait):.0f} flask db {verb} ..."
            lock = Lock(wait, self.policy.say, longer=longer)
        return Place(
            database,
            self._wanted_in(database, version, tables, exclude),
            version,
            lambda connection: lock.hold(connection, name, schema) if lock else nullcontext(),
        )

    def _ask_about(
        self, verb: str, database: Database, rows: Mapping[str, int], options: str
    ) -> None:
        """Ask whether the rows of a database may go.

        :raises RefusedError: the answer is no.
        """
        from .upgrading.protecting import is_protected, name_of

        protected = is_protected(self.policy.protected, database.engine)
        if not rows or (self.confirm is None and not protected):
            return
        name = name_of(database.engine)
        listed = tuple(rows.items())
        question = results.Question(verb, database.name, database.url, name, (), listed, protected)
        if self.confirm is not None and self.confirm(question):
            return
        count = sum(rows.values())
        is_it = " is protected, and" if protected else ":"
        raise RefusedError(
            f"{database.url}{is_it} this would delete {count} row{'s' * (count != 1)} of "
            f"{len(rows)} table{'s' * (len(rows) != 1)}. Nothing was changed.",
            f"If it is meant:  flask db {verb}{options} "
            + (f"--name {name}" if protected else "--yes"),
            question=question,
        )


class Cleaning:
    """The tables of a database that are to be emptied or dropped."""

    def __init__(self, place: Place, text: str) -> None:
        from .data.cleaning import count_rows
        from .data.tables import read_tables

        self._place, self._text = place, text
        self.database, self.wanted = database, wanted = place.database, place.wanted
        self.names: frozenset[str] = frozenset()
        self.rows: dict[str, int] = {}
        self.left: tuple[str, ...] = ()
        path = sqlite_file(database.engine)
        if path is not None and not path.exists():
            return
        with database.engine.connect() as connection:
            every = read_tables(connection, wanted)
            mine = self._mine(every)
            self.names = frozenset(one.full_name for one in every)
            self.rows = count_rows(connection, mine)
            named = wanted.only or self.names
            self.left = tuple(sorted((self.names & named) - self.rows.keys()))

    def carry_out(self, drop: bool) -> results.Cleaned:
        """Do it, in one transaction where the database has those."""
        from .data import cleaning
        from .data.dropping import Dropping
        from .data.sessions import changing
        from .data.tables import read_tables

        done = results.Cleaned(self.database.name, self.database.url, self.rows, drop, self.left)
        if not self.names and not drop:
            return done
        with changing(self._place) as (connection, _):
            every = read_tables(connection, self.wanted)
            mine = self._mine(every)
            if drop:
                Dropping(connection, mine, every, self._is_made).run(self._also(connection))
            else:
                cleaning.empty(connection, mine, every)
            connection.commit()
            cleaning.begin_again(connection, [] if drop else mine)
        return done

    def _also(self, connection: Any) -> list[str]:
        """Return the tables of this package, which go when all tables go."""
        if self.wanted.only is not None:
            return []
        quote = connection.dialect.identifier_preparer.quote
        _, schema = self._place.version
        own = sorted(one for one in self.wanted.own if "." not in one)
        return [f"{quote(schema)}.{quote(one)}" if schema else quote(one) for one in own]

    def _is_made(self, name: str) -> bool:
        """Tell whether a revision names a view, a type or a sequence, and all of them go.

        The name of a function comes with ``FUNCTION`` before it: it may be any word.
        """
        if self.wanted.only is not None:
            return False
        what, _, plain = name.rpartition(" ")
        if what in ("FUNCTION", "PROCEDURE"):
            return bool(re.search(rf"(?i){what}\s+(\w+\.)?\W?{re.escape(plain)}\W", self._text))
        return is_named(name, self._text)

    def _mine(self, every: Sequence[Table]) -> list[Table]:
        """Return the tables that a model defines or a revision names."""
        models = {name for bind in self.database.binds for name in bind.table_names}
        return [
            one
            for one in every
            if (self.wanted.only is None or one.full_name in self.wanted.only)
            and (one.full_name in models or is_named(one.name, self._text))
        ]


class Load:
    """A dump on its way into the databases: where each stands, and what has to run before."""

    def __init__(
        self,
        repository: Reach,
        lines: Lines,
        mode: Mode,
        dry_run: bool,
        on_upgrade: Callable[[results.UpgradeResult], None] | None,
    ) -> None:
        self._repository, self._lines, self._mode = repository, lines, mode
        self._dry_run, self._on_upgrade = dry_run, on_upgrade
        self._graph: Graph = repository.graph()
        self._text = repository._history_text()
        self._plans: list[tuple[Place, DumpedDatabase, Callable[[], None] | None]] = []
        self._ends: list[tuple[str, tuple[str, ...]]] = []
        self.upgrades: list[results.UpgradeResult] = []

    # ---- where to load -----------------------------------------------------------------------

    def add(self, dumped: DumpedDatabase, tables: Sequence[str], exclude: Sequence[str]) -> None:
        """Find the database for a part of the dump, and what has to be done before.

        :raises DataError: its revision is unknown, or the database is not where it can be loaded.
        """
        from .data.files import as_typed
        from .data.tables import check_names

        repository = self._repository
        key = dumped.bind.split("+")[0]
        database = repository.databases(key)[0]
        place = repository._place("load", database, tables, exclude)
        check_names(place.wanted, {one.name for one in dumped.tables})
        cleaning = repository._cleaning_of(database, self._text, ())
        full = {name: count for name, count in cleaning.rows.items() if count}
        (position,) = repository.positions(key)
        before = self._before(dumped, position, bool(cleaning.names), bool(full))
        if self._mode.replace:
            typed = as_typed(self._lines.name)
            repository._ask_about("load", database, full, f" {typed} --replace")
        self._plans.append((place, dumped, before))

    def _before(
        self, dumped: DumpedDatabase, position: results.Position, has_tables: bool, has_rows: bool
    ) -> Callable[[], None] | None:
        """Return what brings a database to the revision of the dump."""
        from .data.files import as_typed

        graph, name = self._graph, self._lines.name
        heads, here = dumped.heads or (), position.heads
        bind = position.bind.split("+")[0]
        unknown = [one for one in heads if one not in graph]
        if unknown:
            raise DataError(
                f"{name} is of revision {', '.join(unknown)}, which no file in "
                f"{self._repository.path / 'versions'} has: it was made by other code, or newer. "
                "Nothing was loaded.",
                "Get the code that has it, or dump again with this one:  flask db dump FILE",
                revisions=tuple(unknown),
            )
        if not here and has_tables and graph.heads and heads:
            raise DataError(
                f"{position.url} has tables and no version. Nothing was loaded.",
                "Say which revision they are of:  flask db stamp REVISION",
            )
        if set(heads) == set(here) or (not heads and has_tables):
            return None
        goal = heads or tuple(one.id for one in graph.heads)
        if not here:
            self._ends.append((bind, tuple(one.id for one in graph.heads)))
            return lambda: self._upgrade(bind, goal)
        lost = [one for one in here if one not in graph]
        if lost:
            raise graph.unknown(lost)
        if not set(heads) <= graph.ancestors([graph.nodes[one] for one in here]):
            raise DataError(
                f"{name} is of revision {', '.join(heads)}, and {position.url} is at "
                f"{', '.join(here)}, which does not have it yet. Nothing was loaded.",
                "Upgrade first:  flask db upgrade heads",
            )
        if has_rows and not self._mode.replace:
            raise DataError(
                f"{name} is of revision {', '.join(heads)}, older than {position.url}, which is at "
                f"{', '.join(here)} and has rows. Nothing was loaded.",
                "Into an empty database it is loaded at its revision, and upgraded then. Instead "
                f"of the rows that are there:  flask db load {as_typed(name)} --replace",
            )
        self._ends.append((bind, here))
        return lambda: self._go_back(bind, goal)

    def _go_back(self, bind: str, heads: Sequence[str]) -> None:
        repository = self._repository
        database = repository.databases(bind)[0]
        repository._cleaning_of(database, self._text, ()).carry_out(True)
        self._upgrade(bind, heads)

    def _upgrade(self, bind: str, heads: Sequence[str]) -> None:
        for head in heads:
            result = self._repository.upgrade(head, bind=bind)
            if result.steps:
                self.upgrades.append(result)
                if self._on_upgrade is not None:
                    self._on_upgrade(result)

    # ---- loading -----------------------------------------------------------------------------

    def run(self, on_rows: Callable[[str, int], None] | None) -> Mapping[str, int]:
        """Load, and upgrade to where the databases were."""
        from .data.loading import Receiver

        if self._dry_run and any(before is not None for *_, before in self._plans):
            self._repository.policy.tell(
                "The dump is of another revision than the database, so only the file is checked."
            )
            return self._pour([], on_rows)
        for *_, before in self._plans:
            if before is not None:
                before()
        with ExitStack() as stack:
            receivers = [
                stack.enter_context(Receiver(place, dumped, self._mode, self._lines.name))
                for place, dumped, _ in self._plans
            ]
            taken = self._pour(receivers, on_rows)
            for receiver in receivers:
                receiver.finish()
            if self._dry_run:
                return taken
            for receiver in receivers:
                receiver.commit()
        for bind, heads in self._ends:
            self._upgrade(bind, heads)
        return taken

    def _pour(
        self, receivers: Sequence[Receiver], on_rows: Callable[[str, int], None] | None
    ) -> dict[str, int]:
        """Give every row to the database that takes it; without one, only read them."""
        taken: dict[str, int] = {}
        by_label = {label: one for one in receivers for label in one.labels}
        current: Receiver | None = None
        for batch in self._lines.batches():
            receiver = by_label.get(batch.label)
            if current is not None and receiver is not current:
                current.end_table()
            current = receiver
            if receiver is not None:
                receiver.write(batch)
            elif receivers:  # left out by name
                continue
            taken[batch.label] = taken.get(batch.label, 0) + len(batch)
            if on_rows is not None:
                on_rows(batch.label, len(batch))
        return taken
