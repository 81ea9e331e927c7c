"""From what differs between models and databases to a safe revision file."""

from .comparing import check_result, comparison, pipeline, run_options
from .files import check_names, merge, revision_context, write
from .losing import may_lose
from .reflecting import reflected
from .rendering import render_item
from .seeing import configuring
from .unimported import refuse_empty
from .unusable import refuse_unmapped

__all__ = [
    "check_names",
    "check_result",
    "comparison",
    "configuring",
    "may_lose",
    "merge",
    "pipeline",
    "reflected",
    "refuse_empty",
    "refuse_unmapped",
    "render_item",
    "revision_context",
    "run_options",
    "write",
]
