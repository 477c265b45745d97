"""Refunds know how far the bank's reference is: to come, there, or none because the purchase itself is taken back."""

import sqlalchemy as sa
from alembic import op

revision = "c41d7a9e52f0"
down_revision = "7a1e64c05d93"


def upgrade() -> None:
    op.add_column("refund", sa.Column("reference_status", sa.String(length=12), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("refund") as batch_op:
        batch_op.drop_column("reference_status")
