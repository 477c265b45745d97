"""By which way staff paid what a refund could not bring, so that the customer is told that way and not the card that failed."""

import sqlalchemy as sa
from alembic import op

revision = "c5e81d3fa907"
down_revision = "b3e60f1d7c28"


def upgrade() -> None:
    with op.batch_alter_table("refund") as table:
        table.add_column(sa.Column("paid_elsewhere_how", sa.String(20), nullable=False, server_default=""))
    refund = sa.table("refund", *map(sa.column, ("payment_id", "paid_elsewhere_by", "paid_elsewhere_how")))
    payment = sa.table("payment", *map(sa.column, ("id", "provider", "payment_intent")))
    # Staff pay by hand what Stripe could not bring back to the card: by which way was not asked, but not by the card.
    of_stripe = sa.select(payment.c.id).where(payment.c.provider == "stripe", payment.c.payment_intent != "")
    by_hand = (refund.c.paid_elsewhere_by != "", refund.c.payment_id.in_(of_stripe))
    op.execute(refund.update().where(*by_hand).values(paid_elsewhere_how="other"))


def downgrade() -> None:
    with op.batch_alter_table("refund") as table:
        table.drop_column("paid_elsewhere_how")
