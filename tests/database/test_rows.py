"""Rows from each kind of database into each other one, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import DatabaseMaker, ProjectMaker
from tests.database.random_rows import contents, fill, random_metadata, without_negative_zero

KINDS = ("sqlite", "postgresql", "mariadb")


def copy_tables(metadata: sa.MetaData, db: Any) -> None:
    """Define the tables for an application."""
    for table in metadata.tables.values():
        table.to_metadata(db.metadata)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_rows_are_the_same_elsewhere(
    make_project: ProjectMaker,
    make_database: DatabaseMaker,
    tmp_path: Path,
    seed: int,
    source: str,
    target: str,
) -> None:
    metadata = random_metadata(seed)
    here = make_project(make_database(source), models=lambda db: copy_tables(metadata, db))
    there = make_project(make_database(target), models=lambda db: None, folder="there")
    metadata.create_all(here.engine())
    metadata.create_all(there.engine())
    fill(here.engine(), metadata, seed)
    before = contents(here.engine(), metadata)
    manifest = here.repository.dump(tmp_path / "rows.jsonl.gz")
    assert manifest.total == sum(map(len, before.values())) > 100
    loaded = there.repository.load(tmp_path / "rows.jsonl.gz")
    assert dict(loaded.rows) == dict(manifest.rows)
    after = contents(there.engine(), metadata)
    if target != "postgresql":
        before = without_negative_zero(before)
    for name, rows in before.items():
        columns = list(metadata.tables[name].columns)
        for old, new in zip(rows, after[name], strict=True):
            for column, left, right in zip(columns, old, new, strict=True):
                assert left == right, (name, column.name, column.type)
    assert after == before
