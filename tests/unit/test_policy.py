"""The ``MIGRATE_*`` settings: what they mean, and what is said about the ones that mean nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate import ConfigError
from flask_sakyum_migrate.policy import Policy, read_policy, seconds
from flask_sakyum_migrate.upgrading.protecting import is_protected, name_of


def read(**settings: Any) -> Policy:
    return read_policy(settings.get)


def test_nothing_set_is_the_default() -> None:
    assert read() == Policy()
    assert Policy().lock_wait == 300


@pytest.mark.parametrize(
    ("setting", "given", "expected"),
    [
        ("lock_wait", "7", 7),
        ("lock_wait", 0, 0),
        ("lock_timeout", "400ms", 0.4),
        ("lock_timeout", 5, 5),
        ("statement_timeout", "5min", 300),
        ("transaction", "all", "all"),
        ("backup", True, math.inf),
        ("backup", "off", 0),
        ("backup", "20.5", 20.5),
        ("runs_table", True, ""),
        ("runs_table", "false", None),
        ("runs_table", "deployments", "deployments"),
        ("app_version", 2.1, "2.1"),
        ("protected", "yes", True),
        ("protected", False, False),
        ("protected", "prod* *live*", ("prod*", "*live*")),
        ("protected", ["prod*"], ("prod*",)),
    ],
)
def test_a_setting(setting: str, given: Any, expected: Any) -> None:
    policy = read(**{f"MIGRATE_{setting.upper()}": given})
    assert policy == Policy(**{setting: expected})


@pytest.mark.parametrize(
    ("setting", "given", "words"),
    [
        ("lock_wait", "soon", "a number of seconds"),
        ("lock_timeout", "5 days", 'a number of seconds, or "400ms"'),
        ("statement_timeout", -1, 'a number of seconds, or "5min"'),
        ("transaction", "both", "one of per-revision, all, none"),
        ("backup", "much", "True, False or a number of megabytes"),
        ("backup", -5, "True, False or a number of megabytes"),
        ("runs_table", "", "True, False or the name of a table"),
        ("runs_table", 7, "True, False or the name of a table"),
        ("protected", 7, "True, False or a list of URL patterns"),
    ],
)
def test_a_setting_that_means_nothing(setting: str, given: Any, words: str) -> None:
    name = f"MIGRATE_{setting.upper()}"
    with pytest.raises(ConfigError) as info:
        read(**{name: given})
    assert info.value.message == f"{name} is {given!r}, and has to be {words}."


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5), (" 1.5 s ", 1.5), ("400ms", 0.4), ("2min", 120), ("1h", 3600)]
)
def test_a_time(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "s", "5 d", "-1", "1e3", "nan", "1.2.3", True, None])
def test_what_is_no_time(text: Any) -> None:
    with pytest.raises(ValueError):
        seconds(text)


def test_it_tells_a_person_when_there_is_one() -> None:
    said: list[str] = []
    Policy(say=said.append).tell("one")
    Policy().tell("two")
    assert said == ["one"]


# ---- which databases are protected -----------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "url", "expected"),
    [
        ("postgresql*@db.prod/*", "postgresql://u:secret@db.prod/school", True),
        ("postgresql*@db.prod/*", "postgresql://u:secret@db.test/school", False),
        ("school", "postgresql://u:secret@db.test/school", True),
        ("School", "postgresql://u:secret@db.test/school", False),
        ("*secret*", "postgresql://u:secret@db.test/school", False),
        ("postgresql://u@db.test/school", "postgresql://u:secret@db.test/school", True),
        ("*/school", "postgresql://db/school?host=other", True),
        ("school.db", "sqlite:////var/lib/school.db", True),
        ("/var/*", "sqlite:////var/lib/school.db", True),
        ("*", "sqlite://", True),
    ],
)
def test_a_pattern(pattern: str, url: str, expected: bool) -> None:
    engine = engine_of(url)
    assert is_protected((pattern,), engine) is expected
    assert is_protected(("nothing", pattern), engine) is expected
    assert is_protected((), engine) is False
    assert is_protected(True, engine) is True


def engine_of(url: str) -> Any:
    """Stand in for an engine whose driver is not installed."""
    return SimpleNamespace(url=sa.make_url(url))


def test_the_name_to_type() -> None:
    assert name_of(engine_of("postgresql://u:secret@db.test/school")) == "school"
    assert name_of(engine_of("sqlite:////var/lib/school.db")) == "school.db"
    assert name_of(engine_of("sqlite://")) == "sqlite"
