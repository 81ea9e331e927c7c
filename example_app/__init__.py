"""A small school: exam questions with their choices, and the people who write them.

From the folder above this one:

    flask --app example_app db upgrade
    flask --app example_app add-sample
    flask --app example_app run

Two environment variables choose the databases:

``DATABASE_URL``  instead of default.db beside this file, for example
                  ``postgresql+psycopg://postgres@127.0.0.1/school`` or
                  ``mysql+pymysql://root@127.0.0.1/school``
``AUDIT_URL``     a second database, for the audit trail; without it there is none
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from . import sample
from .exam.views import exam
from .extensions import db, migrate


def create_app() -> Flask:
    """Make the application; the environment says with which databases."""
    app = Flask(__name__)
    default = f"sqlite:///{Path(app.root_path, 'default.db').as_posix()}"
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL") or default

    # No page needs auth.models or audit.models yet, so nothing imports them. Their tables are in
    # db.metadata all the same when it matters: Migrate imports these modules for the commands that
    # compare the models with the database, and for no other.
    models = ["example_app.exam.models", "example_app.auth.*"]
    if audit_url := os.environ.get("AUDIT_URL"):
        app.config["SQLALCHEMY_BINDS"] = {"audit": audit_url}
        models.append("example_app.audit.models")

    db.init_app(app)
    migrate.init_app(app, db, models=models)
    app.register_blueprint(exam)
    app.cli.add_command(sample.add_sample)
    return app
