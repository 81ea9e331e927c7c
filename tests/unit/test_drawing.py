"""The history as a picture in text: every line leads from a revision to what it stands on."""

from __future__ import annotations

import pytest

from flask_sakyum_migrate.cli.drawing import lines, mermaid
from flask_sakyum_migrate.revisions import Revision

DRAWN = {
    "d:bc c:a b:a a:": r"""
* d
|\
| * c
* | b
|/
* a
""",
    "h:x i:y j:x y:x x:": r"""
* h
| * i
| | * j
| |/
|/|
| * y
|/
* x
""",
    "m:pqr r:b q:b p:b b:": r"""
* m
|\
| |\
| | * r
| * | q
| |/
* | p
|/
* b
""",
    "b: a:": """
* b
* a
""",
    "c:b": """
* c
""",
}


def revisions(text: str) -> list[Revision]:
    pairs = [one.split(":") for one in text.split()]
    return [Revision(name, tuple(down), (), (), f"add {name}", name) for name, down in pairs]


@pytest.mark.parametrize(("text", "drawn"), DRAWN.items())
def test_lines(text: str, drawn: str) -> None:
    assert list(lines(revisions(text), lambda node: node.id)) == drawn.strip("\n").splitlines()


def test_mermaid() -> None:
    (node,) = revisions("graph:")
    node.doc = 'say "hi"'
    assert list(mermaid([node], lambda one: "pending"))[:2] == [
        "flowchart BT",
        '  r_graph["graph<br>say #quot;hi#quot;"]:::pending',
    ]
    drawn = list(mermaid(revisions("b:a a:"), lambda one: "applied"))
    assert "  r_a --> r_b" in drawn
