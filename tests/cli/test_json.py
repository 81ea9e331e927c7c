"""``--json`` of the commands that list: the shapes are those of docs/checking.md."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Project


def printed(project: Project, *args: str) -> Any:
    result = project.flask(*args, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_revisions(fork: Project) -> None:
    revision = {
        "id": "bb22",
        "message": "make bb22",
        "path": f"{fork.path}/migrations/versions/bb22.py",
        "down": ["aa11"],
        "depends_on": [],
        "labels": ["shop"],
        "is_head": True,
    }
    heads = printed(fork, "heads")
    assert [one["id"] for one in heads] == ["bb22", "cc33"] and heads[0] == revision
    history = printed(fork, "history")
    assert {one["id"] for one in history} == {"aa11", "bb22", "cc33"} and revision in history
    assert [one["id"] for one in printed(fork, "history", "-r", "aa11:bb22")] == ["bb22", "aa11"]
    [branch] = printed(fork, "branches")
    assert (branch["id"], branch["is_head"]) == ("aa11", False)
    assert branch["children"] == heads


def test_where_a_database_is(line: Project) -> None:
    [before] = printed(line, "current")
    assert (before["bind"], before["rows"], before["revisions"]) == ("default", None, [])
    assert line.flask("upgrade", "bb22").exit_code == 0
    [after] = printed(line, "current")
    assert (after["rows"], [one["id"] for one in after["revisions"]]) == (["bb22"], ["bb22"])
    result = line.flask("current", "--json", "--check-heads")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [after])


def test_what_was_run(line: Project) -> None:
    assert printed(line, "runs") == []
    assert line.flask("upgrade").exit_code == 0
    assert line.flask("downgrade").exit_code == 0
    found = printed(line, "runs")
    assert [(one["direction"], one["revision"], one["outcome"]) for one in found] == [
        ("downgrade", "cc33", "done"),
        ("upgrade", "cc33", "done"),
        ("upgrade", "bb22", "done"),
        ("upgrade", "aa11", "done"),
    ]
    assert found[0]["parents"] == ["bb22"] and found[0]["started"] <= found[0]["finished"]
