"""create the stock"""

revision = "aa11"
down_revision = None
branch_labels = ("stock",)
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
