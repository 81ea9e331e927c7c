"""What Alembic runs. There is nothing to edit here, and everything may be."""

from flask_sakyum_migrate.environment import application, run

db = application().db
target_metadata = db.Model.metadata

run(target_metadata)
