"""Run SQL for the benchmark: ``python sql.py URL``, with ``{"run": [...], "read": ...}`` on stdin.

It runs in an environment of the benchmark, so that the benchmark itself needs no driver. Each entry
of ``run`` is ``[statement, rows]``; the rows that ``read`` selects are written as one JSON list.
"""

from __future__ import annotations

import json
import sys

import sqlalchemy as sa


def main() -> None:
    """Do in one transaction what stdin asks for."""
    asked = json.load(sys.stdin)
    engine = sa.create_engine(sys.argv[1])
    with engine.begin() as connection:
        for statement, rows in asked["run"]:
            connection.execute(sa.text(statement), rows)
        found = connection.execute(sa.text(asked["read"])) if asked["read"] else ()
        sys.stdout.write(json.dumps([list(row) for row in found]))
    engine.dispose()


if __name__ == "__main__":
    main()
