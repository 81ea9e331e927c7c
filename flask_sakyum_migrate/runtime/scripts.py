"""Alembic's ScriptDirectory with modules that are imported when a step needs them."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import alembic.command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap

from ..revisions import Header, load_module


class LazyScript(Script):
    """A Script that knows its header and runs its file on first use of ``module``."""

    def __init__(self, header: Header) -> None:
        # Script.__init__ wants the module; what it sets beside it is this.
        self.path = header.path
        self._doc = header.doc
        self._module: ModuleType | None = None
        Revision.__init__(
            self,
            header.revision,
            header.down or None,
            dependencies=header.depends or None,
            branch_labels=header.labels or None,
        )

    @property
    def module(self) -> ModuleType:  # type: ignore[override]
        """The module of the revision file."""
        if self._module is None:
            self._module = load_module(self.path)
        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        return self._doc


def script_directory(config: Config, headers: Iterable[Header]) -> ScriptDirectory:
    """Open a migrations folder for Alembic without importing its revision files.

    The class is looked up in `alembic.command` because projects replace it there; a replaced one
    is used as it is.
    """
    cls: Any = alembic.command.ScriptDirectory  # type: ignore[attr-defined]
    script: ScriptDirectory = cls.from_config(config)
    if cls is ScriptDirectory:
        script.revision_map = RevisionMap(lambda: [LazyScript(header) for header in headers])
    return script
