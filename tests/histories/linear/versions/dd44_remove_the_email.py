"""remove the email"""

revision = "dd44"
down_revision = "cc33"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
