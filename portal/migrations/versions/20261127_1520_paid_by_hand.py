"""What staff have paid by hand was no release, although the payment was to be given free at first."""

from alembic import op

revision = "c4e18d20ab97"
down_revision = "7b1f4e90c3a6"


def upgrade() -> None:
    op.execute("UPDATE refund SET way = 'refund' WHERE way = 'release' AND paid_elsewhere_by <> ''")


def downgrade() -> None:
    """The mark that was wrong is not put back."""
