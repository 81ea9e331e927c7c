"""Random pairs of models: there with rows, nothing left; back as it was; and there again.

``RANDOM_PAIRS=500 pytest tests/database/test_random_models.py`` tries more of them.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Project, ProjectMaker
from tests.database.random_models import ROWS, State, first, second, value

COUNT = int(os.environ.get("RANDOM_PAIRS", "5"))
START = int(os.environ.get("RANDOM_START", "3"))


@pytest.mark.filterwarnings("ignore:Cannot correctly sort tables")
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
        for name, columns in before.tables.items()
        if name in after.tables
        for column in columns
        if column not in after.tables[name]
    ]


def fill(project: Project, state: State) -> None:
    """Put rows into every table; what they refer to comes when all are there."""
    tables = project.db.metadata.tables
    with project.engine().begin() as connection:
        connection.execute(sa.insert(tables["always"]), [{"id": n + 1} for n in range(ROWS)])
        for name, columns in state.tables.items():
            rows = [
                {
                    "id": n + 1,
                    **{
                        one.name: None
                        if one.refers or (one.nullable and n == 0)
                        else value(one, n + 1)
                        for one in columns.values()
                    },
                }
                for n in range(ROWS)
            ]
            connection.execute(sa.insert(tables[name]), rows)
        for name, columns in state.tables.items():
            keys = {one.name: tables[name].c.id for one in columns.values() if one.refers}
            if keys:
                connection.execute(sa.update(tables[name]).values(keys))


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
