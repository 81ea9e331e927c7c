"""What makes two conditions of CHECK constraints the same."""

from __future__ import annotations

import pytest

from flask_sakyum_migrate.autogenerate.constraints.stored_checks import alike

SAME = [
    ("age > 5", "(age > 5)"),
    ("(c <> '-1'::integer)", "(c <> '-1'::bigint)"),
    ("`c` <> -1", "`c` <> '-1'"),
    ("((name)::text <> 'it''s'::text)", "(name <> 'it''s'::text)"),
    (
        "((name)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        "(name = ANY (ARRAY['a'::text, 'b'::text]))",
    ),
    ("(a = ANY (ARRAY[('a'::character varying)::text]))", "(a = ANY (ARRAY['a'::text]))"),
    ("(age = ANY (ARRAY[1, 2]))", "(age = ANY (ARRAY[(1)::bigint, (2)::bigint]))"),
    ("(price > '1.50'::numeric(12,2))", "price > 1.50"),
    ("(made > '2026-01-01'::timestamp without time zone)", "(made > '2026-01-01'::date)"),
]
OTHERS = [
    ("age > 5", "age >= 5"),
    ("(a OR b) AND c", "a OR (b AND c)"),
    ("(made)::date > other", "made > other"),
    ("name <> 'a'", "name <> 'A'"),
    ("name <> '::text'", "name <> ''"),
    ("length(name) > 3", "length(nick) > 3"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_not_the_same(one: str, other: str) -> None:
    assert alike(one) != alike(other)
