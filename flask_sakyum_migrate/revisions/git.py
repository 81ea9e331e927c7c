"""Ask git about revision files: where one that is not here was written, and who wrote one."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 5  # a person waits for the message meanwhile


def written_in(folder: Path, revision: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the last commit that had the file of a revision, and the branches that have it.

    :param folder: the folder that the files are in.
    :param revision: its id, which Alembic's file names have.
    :returns: None when git is not there, it is no checkout, or no commit has such a file.
    """
    if not revision.replace("_", "").replace("-", "").isalnum():
        return None  # it came from a database: it is not to be a pattern of git's
    pattern = f"*{revision}*.py"  # at any depth below the folder
    # Those that added it or changed it, newest first, without the one that deleted it. Asking for
    # one only would count the deletion, too.
    commit = _git(folder, "log", "--all", "--diff-filter=AMR", "--format=%h", "--", pattern)
    if not commit:
        return None
    names = _git(folder, "branch", "--all", "--contains", commit[0], "--format=%(refname:short)")
    branches = [name for name in names if not name.startswith("(")]  # "(HEAD detached at ...)"
    return commit[0], tuple(branches)


def author_of(path: Path) -> str:
    """Return who committed a file first; nothing when git does not know."""
    names = _git(path.parent, "log", "--diff-filter=A", "--format=%an", "--", path.name)
    return names[-1] if names else ""


def _git(folder: Path, *arguments: str) -> Sequence[str]:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else ()
