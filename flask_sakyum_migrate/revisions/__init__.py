"""The revision files as a graph, read without running them and without Alembic."""

from __future__ import annotations

from .graph import Graph
from .headers import Header, load_module, read_folder, read_header
from .revision import Revision

__all__ = ["Graph", "Header", "Revision", "load_module", "read_folder", "read_header"]
