"""keep an audit trail

Revision ID: 0ac64d8e7a94
Revises: 5c4d1046cddb
Create Date: 2026-11-21 04:23:48.938058

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0ac64d8e7a94"
down_revision = "5c4d1046cddb"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass  # only the bind audit has something to do


def downgrade() -> None:
    pass


def upgrade_audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column(
            "done_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )


def downgrade_audit() -> None:
    op.drop_table("audit_entry")
