"""The page about rows: its session is run, from SQLite to PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import DatabaseMaker
from tests.test_docs import sessions, text_of

_BLOCK = re.compile(r"^```\{code-block\} console\n(.*?)^```$", re.M | re.S)
SHOWN = "postgresql+psycopg://school@localhost/school"


def rewritten(page: str, root: Path, url: str) -> str:
    """Return the page with what its commands print now.

    :param url: of the database that the page calls by another name.
    """
    session = sessions.Session(root)
    for block in sessions.blocks(page):
        session.write(block)
    exported = ""

    def run(match: re.Match[str]) -> str:
        nonlocal exported
        lines = []
        for command in re.findall(r"^\$ (.+)$", match[1], re.M):
            lines.append(f"$ {command}\n")
            if command.startswith("export "):
                exported = command.replace(SHOWN, url) + "; "
            else:
                lines.append(session.run(exported + command).replace(url, SHOWN))
        return "```{code-block} console\n" + "".join(lines) + "```"

    return _BLOCK.sub(run, page)


def plain(text: str) -> str:
    return re.sub(r"\d\d\d\d-\d\d-\d\d", "DAY", sessions.normalised(text))


def test_the_page_shows_what_a_terminal_shows(tmp_path: Path, make_database: DatabaseMaker) -> None:
    page = text_of("data.md")
    after = rewritten(page, tmp_path, make_database("postgresql"))
    assert sessions.TRACEBACK not in after
    assert after.count("Loaded 2 rows") == 1 and "column text, value" in after
    assert plain(after) == plain(page), after
