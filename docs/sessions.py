"""Run what the pages show, so that they show what a terminal really showed.

    python docs/sessions.py            write the real output into every page that has changed
    python docs/sessions.py --check    only name the pages that have changed

A page is one session, from the top to the bottom, in a folder that the page calls
/home/you/school and that has nothing but the application of index.md. A ``code-block`` with a
caption is the file of that name. In a ``console`` block a line that begins with ``$`` is run by
the shell, and the lines below are what it printed. All other blocks are only shown.

Revision ids, dates and seconds are different in every run: a page has changed when anything else
is. The tests run every page, too.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
HOME = "/home/you"
START = "school"
TRACEBACK = "Traceback (most recent call last)"

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)$", re.M | re.S)
_CAPTION = re.compile(r"^:caption: (.+)$", re.M)
_OPTIONS = re.compile(r"\A(?::[^\n]*\n)*\n?")


@dataclass(frozen=True)
class File:
    """A block that is a file of the session."""

    name: str
    text: str


@dataclass(frozen=True)
class Console:
    """A block of commands, each with the output that the page shows."""

    commands: tuple[tuple[str, str], ...]
    start: int
    end: int

    def with_outputs(self, outputs: list[str]) -> str:
        """Return the text of the block with other outputs."""
        pairs = zip(self.commands, outputs, strict=True)
        return "".join(f"$ {command}\n{output}" for (command, _), output in pairs)


def blocks(text: str) -> Iterator[File | Console]:
    """Find the files and the commands of a page."""
    for match in _FENCE.finditer(text):
        info, body = match["info"].strip(), match["body"]
        if info == "console":
            yield Console(tuple(_commands(body)), match.start("body"), match.end("body"))
        elif info.startswith("{code-block}") and (caption := _CAPTION.search(body)):
            yield File(caption[1].strip(), _OPTIONS.sub("", body, count=1))


def _commands(body: str) -> Iterator[tuple[str, str]]:
    if not body.startswith("$ "):
        raise ValueError(f"A console block begins with a command: {body.splitlines()[0]}")
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def application() -> File:
    """Return the application of index.md."""
    found = blocks((DOCS / "index.md").read_text("utf-8"))
    return next(block for block in found if isinstance(block, File))


class Session:
    """A terminal in a folder with the application of index.md."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.cwd = self.root / START
        self.cwd.mkdir()
        self.write(application())

    def write(self, file: File) -> None:
        """Put a file of the page where it belongs."""
        path = self.cwd / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, "utf-8")

    def run(self, command: str) -> str:
        """Run a command as the shell would; return what it printed, with the page's own paths."""
        if command.startswith("cd "):
            self.cwd = (self.cwd / command.removeprefix("cd ")).resolve()
            return ""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.cwd,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        text = done.stdout.replace(str(self.root), HOME)
        text = text.replace(f"@{socket.gethostname()}", "@laptop")
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())

    def _environment(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment["HOME"] = str(self.root)
        environment["LOGNAME"] = "you"
        environment["PATH"] = os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        return environment


def outputs(page: str, root: Path) -> list[tuple[Console, list[str]]]:
    """Run a page; return each block of commands with what they printed."""
    session = Session(root)
    found = []
    for block in blocks(page):
        if isinstance(block, File):
            session.write(block)
        else:
            found.append((block, [session.run(command) for command, _ in block.commands]))
    return found


def rewritten(page: str, root: Path) -> str:
    """Return a page with what its commands print now."""
    for block, printed in reversed(outputs(page, root)):
        page = page[: block.start] + block.with_outputs(printed) + page[block.end :]
    return page


def normalised(text: str) -> str:
    """Replace what is different in every run; the same revision id stays the same."""
    text = re.sub(r"\d{4}_\d\d_\d\d_\d{4}-", "DATE-", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?", "DATE", text)
    text = re.sub(r"\b\d+\.\d+\.\d+\b", "VERSION", text)
    text = re.sub(r"\(commit [0-9a-f]{7,}\)", "(commit HASH)", text)
    text = re.sub(r"\b\d{8}-\d{6}\b", "DATE", text)
    text = re.sub(r"\b\d+\.\d\d s\b", "SECONDS", text)
    ids = dict.fromkeys(re.findall(r"(?<![0-9a-z])(?=[0-9a-f]*\d)[0-9a-f]{12}(?![0-9a-z])", text))
    for number, one in enumerate(ids, 1):
        text = text.replace(one, f"REVISION{number}")
    return text


def pages() -> list[Path]:
    """Return the pages that show a terminal."""
    return [
        path
        for path in sorted(DOCS.glob("*.md"))
        if any(isinstance(block, Console) for block in blocks(path.read_text("utf-8")))
    ]


def main(arguments: list[str]) -> int:
    """Check or rewrite all pages."""
    changed = 0
    for path in pages():
        before = path.read_text("utf-8")
        with tempfile.TemporaryDirectory() as folder:
            after = rewritten(before, Path(folder))
        if normalised(before) == normalised(after):
            continue
        changed += 1
        sys.stdout.write(f"{path.name} has changed\n")
        if TRACEBACK in after:
            sys.stdout.write("  and is left as it was: a command has failed\n")
        elif "--check" not in arguments:
            path.write_text(after, "utf-8")
    return int(bool(changed) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
