"""What is done with the rows of the databases: into a file, out of a file, and away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from . import results
from .errors import DataError
from .transfer import Load, Reach

if TYPE_CHECKING:
    from .data.files import Place
    from .data.manifest import Manifest


class Rows(Reach):
    """The part of `Repository` that is about rows. The parameters are those of `Project`."""

    def dump(
        self,
        file: Place,
        *,
        bind: str | None = None,
        tables: Sequence[str] = (),
        exclude: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
        on_rows: Callable[[str, int], None] | None = None,
    ) -> Manifest:
        """Write the rows of the databases to a file, from one snapshot of each.

        :param file: a path, compressed when it ends in ``.gz`` or ``.zst``; or a binary file.
        :param bind: only this bind.
        :param tables: only these tables.
        :param exclude: not these tables.
        :param where: SQL by table: only these of its rows.
        :param on_rows: called with a table and how many more of its rows are written.
        :raises DataError: the file cannot be written, or a row not be read.
        """
        from .data.dumping import snapshot
        from .data.files import writing
        from .data.manifest import Manifest
        from .data.tables import check_names

        with ExitStack() as stack:
            sources = []
            for database in self.databases(bind):
                version = self._version_of(database)
                wanted = self._wanted_in(database, version, tables, exclude)
                sources.append(stack.enter_context(snapshot(database, wanted, *version)))
            names = {name for source in sources for name in source.every}
            check_names(wanted, names, where or ())
            manifest = Manifest(tuple(source.described for source in sources))
            with writing(file) as out:
                out.write(manifest.first_line())
                for source in sources:
                    source.write(out, where or {}, on_rows)
                rows = {label: n for source in sources for label, n in source.rows.items()}
                manifest = manifest.counted(rows)
                out.write(manifest.last_line())
        return manifest

    def load(
        self,
        file: Place,
        *,
        bind: str | None = None,
        tables: Sequence[str] = (),
        exclude: Sequence[str] = (),
        replace: bool = False,
        merge: bool = False,
        lossy: bool = False,
        dry_run: bool = False,
        on_rows: Callable[[str, int], None] | None = None,
        on_upgrade: Callable[[results.UpgradeResult], None] | None = None,
    ) -> results.Loaded:
        """Load a dump, all of it or nothing; one of an older revision is upgraded after it.

        :param file: a path, or a binary file.
        :param bind: only what was dumped from this bind.
        :param tables: only these tables.
        :param exclude: not these tables.
        :param replace: the rows that are there go first.
        :param merge: rows with the same primary key are changed, others stay.
        :param lossy: cut what a column cannot hold: fractions of a second, digits after the point.
        :param dry_run: read and check everything, and take it back.
        :param on_rows: called with a table and how many more of its rows are there.
        :param on_upgrade: called after each upgrade before and after the rows.
        :raises DataError: the file is no whole dump, or a value does not fit; names its line.
        :raises RefusedError: a protected database would lose rows, and nobody said yes.
        """
        from .data.files import name_of, reading
        from .data.lines import open_lines
        from .data.loading import Mode

        started = time.perf_counter()
        if replace and merge:
            raise DataError("--replace and --merge exclude each other.")
        with reading(file) as raw:
            lines = open_lines(raw, name_of(file))
            work = Load(self, lines, Mode(replace, merge, lossy), dry_run, on_upgrade)
            for dumped in lines.manifest.databases:
                if bind is None or bind in dumped.bind.split("+"):
                    work.add(dumped, tables, exclude)
            rows = work.run(on_rows)
        revisions = {one.bind: one.heads or () for one in lines.manifest.databases}
        return results.Loaded(rows, revisions, tuple(work.upgrades), time.perf_counter() - started)

    def clean(
        self,
        *,
        bind: str | None = None,
        tables: Sequence[str] = (),
        drop: bool = False,
    ) -> list[results.Cleaned]:
        """Delete all rows of the tables of the application; keep the tables and the version.

        :param bind: only this bind.
        :param tables: only these tables.
        :param drop: drop the tables as well, with their types and the version.
        :raises DataError: tables of others reference them.
        :raises RefusedError: nobody said yes for a protected database, or ``confirm`` said no.
        """
        from .data.tables import check_names

        self.import_models()
        text = self._history_text()
        plans = [self._cleaning_of(one, text, tables) for one in self.databases(bind)]
        check_names(plans[0].wanted, {name for plan in plans for name in plan.names})
        for plan in plans:
            self._ask_about("clean", plan.database, plan.rows, " --drop" if drop else "")
        return [plan.carry_out(drop) for plan in plans]
