"""The lines of a dump, in batches of rows of one table; a file that is not whole is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO

from ..errors import DataError
from .manifest import Manifest, read_manifest

_LONGEST_MANIFEST = 1 << 26
_AT_ONCE = 1 << 19
"""Bytes of a batch; a row may be longer."""


@dataclass(frozen=True)
class Batch:
    """Rows of one table that follow each other.

    :param label: what they begin with.
    :param columns: their values, by column.
    :param line: the number of the line of the first.
    """

    label: str
    columns: Sequence[Sequence[Any]]
    line: int

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0


@dataclass
class Lines:
    """A dump that is being read.

    :param file: behind the manifest.
    :param name: of the file, for messages.
    :param rows: how many rows of each table were read.
    """

    file: BinaryIO
    name: str
    manifest: Manifest
    rows: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._widths = {
            database.label(table.name): len(table.columns)
            for database in self.manifest.databases
            for table in database.tables
        }
        self._line = 2

    def batches(self) -> Iterator[Batch]:
        """Give the rows.

        :raises DataError: a line is none of a dump, or the file ends before it should.
        """
        while lines := self.file.readlines(_AT_ONCE):
            last = lines[-1].startswith(b"{")
            rows = lines[:-1] if last else lines
            yield from self._parsed(rows)
            self._line += len(rows)
            if last:
                self._check(lines[-1])
                return
        raise DataError(
            f"{self.name} ends in line {self._line - 1}, and a dump ends with the numbers of its "
            f"rows: it was cut off. Nothing was loaded.",
            "Make it again, or copy it again.",
            line=self._line - 1,
        )

    def _parsed(self, lines: list[bytes]) -> Iterator[Batch]:
        if not lines:
            return
        try:
            rows = json.loads(b"[" + b",".join(lines) + b"]")
            if len(rows) != len(lines):
                raise ValueError
        except (ValueError, RecursionError):
            rows = [self._row(line, at) for at, line in enumerate(lines, self._line)]
        at = self._line
        try:
            batch = self._of_one_table(rows, at)
            if batch is not None:
                yield batch
                return
            for label, group in groupby(rows, lambda row: row[0]):
                found = list(group)
                yield self._batch(label, found, at)
                at += len(found)
        except (TypeError, KeyError, IndexError):
            raise self._not_rows(rows, lines) from None

    def _of_one_table(self, rows: list[Any], at: int) -> Batch | None:
        """Return the batch where nothing is special about it; else None."""
        if set(map(type, rows)) != {list}:
            return None
        try:
            labels, *columns = zip(*rows, strict=True)
        except ValueError:
            return None
        label = labels[0]
        if labels.count(label) != len(rows) or self._widths.get(label) != len(columns) > 0:
            return None
        self.rows[label] = self.rows.get(label, 0) + len(rows)
        return Batch(label, columns, at)

    def _batch(self, label: Any, rows: list[Any], at: int) -> Batch:
        width = self._widths.get(label)
        if width is None:
            raise DataError(
                f"{self.name}, line {at}: a row of {label}, which is no table of the manifest. "
                "Nothing was loaded.",
                "The file was edited by hand, or put together from two. Make it again.",
                line=at,
            )
        if set(map(len, rows)) != {width + 1} or not all(type(row) is list for row in rows):
            for number, row in enumerate(rows, at):
                if len(row) != width + 1:
                    raise DataError(
                        f"{self.name}, line {number}: a row of {label} has {len(row) - 1} values, "
                        f"and the table has {width} columns. Nothing was loaded.",
                        line=number,
                        table=label,
                    )
        self.rows[label] = self.rows.get(label, 0) + len(rows)
        _, *columns = map(list, zip(*rows, strict=True))
        return Batch(label, columns or [[] for _ in rows], at)

    def _row(self, line: bytes, number: int) -> Any:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise self._no_row(number, line) from None
        if not isinstance(row, list) or not row or not isinstance(row[0], str):
            raise self._no_row(number, line)
        return row

    def _not_rows(self, rows: list[Any], lines: list[bytes]) -> DataError:
        """Name the first line that is none of a row."""
        for number, (row, line) in enumerate(zip(rows, lines, strict=True), self._line):
            if isinstance(row, dict) and "rows" in row:
                return DataError(
                    f"{self.name} goes on behind its last line, {number}. Nothing was loaded.",
                    "Load one dump at a time.",
                    line=number + 1,
                )
            if not isinstance(row, list) or not row or not isinstance(row[0], str):
                return self._no_row(number, line)
        return self._no_row(self._line, lines[0])

    def _no_row(self, number: int, line: bytes) -> DataError:
        start = line[:60].decode("utf-8", "replace").rstrip("\n")
        cut = "" if line.endswith(b"\n") else " The file is cut off there."
        return DataError(
            f"{self.name}, line {number} is not a row of a dump: {start}{cut} Nothing was loaded.",
            line=number,
        )

    def _check(self, last: bytes) -> None:
        """Compare the counts; see to it that nothing follows."""
        try:
            counted: Mapping[str, int] = json.loads(last)["rows"]
            wrong = {
                one
                for one in {*counted, *self.rows}
                if counted.get(one, 0) != self.rows.get(one, 0)
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._no_row(self._line, last) from None
        if wrong:
            label = min(wrong)
            raise DataError(
                f"{self.name} has {self.rows.get(label, 0)} rows of {label}, and its last line "
                f"says {counted.get(label, 0)}. Nothing was loaded.",
                "Lines were taken out or put in. Make it again.",
                table=label,
            )
        if self.file.read(1):
            raise self._not_rows([{"rows": {}}], [last])


def open_lines(file: BinaryIO, name: str) -> Lines:
    """Read the manifest of a dump.

    :raises DataError: the file is not a dump.
    """
    first = file.readline(_LONGEST_MANIFEST)
    if not first:
        raise DataError(f"{name} is empty.", "Make a dump with:  flask db dump FILE")
    return Lines(file, name, read_manifest(first, name))
