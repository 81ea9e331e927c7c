"""Sphinx: builds these pages with ``sphinx-build -W -n -b html docs docs/_build/html``."""

import logging
from importlib.metadata import version as installed_version

project = "flask-sakyum-migrate"
author = "The flask-sakyum-migrate team"
project_copyright = f"2026, {author}"
release = version = installed_version("flask-sakyum-migrate")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "flask-sakyum-migrate"

# A heading can be linked to from every page: [text](config.md#exit-codes).
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

# Alembic tells of its plugins when autodoc imports it.
logging.getLogger("alembic").setLevel(logging.WARNING)

# Docstrings write `names` in single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Only this project's own names have to be links; the other projects' pages are elsewhere.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!flask_sakyum_migrate\.).*|.*\.(ConfigCallback|Function|Self)")
]
