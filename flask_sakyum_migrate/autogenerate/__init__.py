"""From what differs between models and databases to a safe revision file."""

from .comparing import check_result, comparison, pipeline, run_options
from .fast import Equal
from .reflecting import reflected
from .refusing.unimported import refuse_empty
from .refusing.unusable import refuse_unmapped
from .scope.ignoring import leave_out
from .seeing import configuring
from .types.losing import may_lose
from .writing.files import check_names, merge, revision_context, write
from .writing.rendering import render_item

__all__ = [
    "Equal",
    "check_names",
    "check_result",
    "comparison",
    "configuring",
    "leave_out",
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
