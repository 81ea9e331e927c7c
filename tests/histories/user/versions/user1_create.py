"""create user"""

import sqlalchemy as sa
from alembic import op

revision = "user1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("user", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("user")
