# Settings of Alembic for this folder. `flask db` and the plain `alembic` command both read it.

[alembic]
script_location = %(here)s

# The database is the application's own: there is no sqlalchemy.url to set.

# The name of a revision file; this one sorts in time.
file_template = %%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d-%%(rev)s_%%(slug)s

# More than one folder of revision files, separated as path_separator says:
path_separator = os
# version_locations = %(here)s/versions

# Programs to run on a new revision file, for example a formatter:
# [post_write_hooks]
# hooks = ruff
# ruff.type = exec
# ruff.executable = ruff
# ruff.options = format REVISION_SCRIPT_FILENAME
