"""open the shop"""

revision = "xx11"
down_revision = None
branch_labels = ("shop",)
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
