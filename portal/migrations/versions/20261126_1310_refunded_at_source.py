"""What the shop's own system says went back is kept apart from what Stripe lists, so that no refund counts twice."""

import sqlalchemy as sa
from alembic import op

revision = "c93d5e1f40aa"
down_revision = "5d1c0be1a7f2"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("payment", sa.Column("refunded_at_source_minor", big, nullable=False, server_default="0"))
    # What is counted and not among the listed refunds can only have come from the source.
    op.execute(
        "UPDATE payment SET refunded_at_source_minor = refunded_elsewhere_minor "
        "WHERE refunded_elsewhere_minor > COALESCE((SELECT SUM(amount_minor) FROM refund WHERE payment_id = payment.id "
        "AND cause = 'elsewhere' AND status NOT IN ('failed', 'canceled')), 0)"
    )
    with op.batch_alter_table("payment") as batch_op:
        batch_op.alter_column("refunded_at_source_minor", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("payment") as batch_op:
        batch_op.drop_column("refunded_at_source_minor")
