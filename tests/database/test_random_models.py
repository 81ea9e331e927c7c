"""Random pairs of models: there with rows, nothing left; back as it was; and there again.

``RANDOM_PAIRS=500 pytest tests/database/test_random_models.py`` tries more of them.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker
from tests.database.random_models import ROWS, State, first, second, value

COUNT = int(os.environ.get("RANDOM_PAIRS", "5"))
UNCHECKED = {
    "postgresql": "SET LOCAL session_replication_role = replica",
    "mysql": "SET foreign_key_checks = 0",
}
"""What lets rows come before those they refer to, on this connection."""
FREED = "Its values are gone, so it may be NULL here."
"""What a file says of a column that comes back and refers to a table that comes back empty."""
START = int(os.environ.get("RANDOM_START", "3"))


@pytest.mark.parametrize("seed", range(START, START + COUNT))
def test_a_pair(make_project: ProjectMaker, bind_url: str, seed: int) -> None:
    chance = random.Random(seed)
    before = first(chance)
    after = second(chance, before)
    old = make_project(bind_url, models=before.define)
    run(old, "migrate", "upgrade", "check")
    fill(old, before)
    columns = stored(old)
    new = make_project(bind_url, models=after.define)
    gone = [part for name in dropped(before, after) for part in ("--drop", name)]
    made = new.flask("migrate", "--no-input", "--allow-drop", *gone)
    assert made.exit_code == 0, made.stderr
    run(new, "upgrade", "check")
    assert "No changes" in new.flask("migrate").stderr
    for name in set(before.tables) & set(after.tables):
        assert count(new, name) == ROWS
    if "No changes" in made.stderr:
        return
    run(new, "downgrade")
    found = old.repository.check(anywhere=True)
    if FREED in Path(made.stdout.strip()).read_text("utf-8"):
        kinds = {one[0][0] for one in found.differences}
        assert kinds == {"modify_nullable"}, found.operations
    else:
        assert found.ok, found.operations
        assert stored(old) == columns
    for name in set(before.tables) & set(after.tables):
        assert count(new, name) == ROWS
    run(new, "upgrade", "check")


def run(project: Project, *verbs: str) -> None:
    for verb in verbs:
        result = project.flask(verb)
        assert result.exit_code == 0, result.stdout + result.stderr


def dropped(before: State, after: State) -> list[str]:
    tables = [name for name in before.tables if name not in after.tables]
    return tables + [
        f"{name}.{column}"
        for name in before.tables
        if name in after.tables
        for column in before.names(name)
        if column not in after.names(name)
    ]


def fill(project: Project, state: State) -> None:
    """Put rows into every table; what they refer to comes sooner or later."""
    engine = project.engine()
    with engine.begin() as connection:
        if engine.name in UNCHECKED:
            connection.exec_driver_sql(UNCHECKED[engine.name])
        for name, table in project.db.metadata.tables.items():
            rows = [{"id": n + 1, **row(state, name, n)} for n in range(ROWS)]
            connection.execute(sa.insert(table), rows)
    engine.dispose()


def row(state: State, table: str, number: int) -> dict[str, Any]:
    """Return the values of a row but its ``id``."""
    if table == "always":
        return {}
    values: dict[str, Any] = {"part": part_of(number)} if table in state.two else {}
    for one in state.tables[table].values():
        if one.refers:
            values.update(zip(state.parts(one), (number + 1, part_of(number)), strict=False))
        elif not one.computed:
            is_null = one.nullable and number == 0
            values[one.name] = None if is_null else value(one, number + 1)
    return values


def part_of(number: int) -> int:
    """Return the second part of a key, which goes down where the first goes up."""
    return ROWS - number


def stored(project: Project) -> Any:
    """Return the columns that the database has."""
    inspector = sa.inspect(project.engine())
    return {
        name: {(one["name"], str(one["type"]), one["nullable"]) for one in found}
        for name in project.tables()
        if (found := inspector.get_columns(name))
    }


def count(project: Project, name: str) -> int:
    with project.engine().connect() as connection:
        query = sa.select(sa.func.count()).select_from(sa.table(name))
        return int(connection.execute(query).scalar_one())
