"""mark the right choice

Revision ID: 5c4d1046cddb
Revises: 2ade6c93b6f0
Create Date: 2026-11-21 04:22:43.584457

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "5c4d1046cddb"
down_revision = "2ade6c93b6f0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The choices that are there already get the default: none of them is marked.
    with op.batch_alter_table("exam_choice", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("is_correct", sa.Boolean(), server_default=sa.false(), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("exam_choice", schema=None) as batch_op:
        batch_op.drop_column("is_correct")
