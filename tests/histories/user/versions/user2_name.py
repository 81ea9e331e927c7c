"""add name"""

import sqlalchemy as sa
from alembic import op

revision = "user2"
down_revision = "user1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("name", sa.String(50)))


def downgrade() -> None:
    op.drop_column("user", "name")
