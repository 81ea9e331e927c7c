"""open the till"""

revision = "cc33"
down_revision = "aa11"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
