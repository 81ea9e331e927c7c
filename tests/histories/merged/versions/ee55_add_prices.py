"""add prices"""

revision = "ee55"
down_revision = "dd44"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
