"""An application reads on while a migration waits for a table: benchmarks/stall.py in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import stall
from tests.conftest import DatabaseMaker
from tests.database.test_lock import Race

HOLD = 3.0  # seconds
# Seconds: how long one try waits for the lock, and half a second for a busy machine.
LIMITS = {"postgresql": 0.4 + 0.5, "mariadb": 1.1 + 0.5}


@pytest.mark.parametrize("kind", LIMITS)
def test_readers_go_on(tmp_path: Path, make_database: DatabaseMaker, kind: str) -> None:
    url = make_database(kind)
    project = Race(tmp_path, url)
    for one in project.versions.glob("r*.py"):
        one.unlink()
    stall.write(tmp_path, url, "flask_sakyum_migrate")
    assert project.finish(project.flask("upgrade", "r1")) == (0, "")

    def migrate() -> None:
        assert project.finish(project.flask("upgrade")) == (0, "")

    found = stall.measure(url, migrate, HOLD)
    assert found.took > HOLD  # it had to wait
    assert found.worst < LIMITS[kind]
    assert project.ask("SELECT count(*) FROM busy WHERE name IS NULL") == 3
