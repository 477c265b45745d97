"""By which way staff paid what a refund could not bring, so that the customer is told that way and not the card that failed."""

import sqlalchemy as sa
from alembic import op

revision = "c5e81d3fa907"
down_revision = "b3e60f1d7c28"


def upgrade() -> None:
    with op.batch_alter_table("refund") as table:
        table.add_column(sa.Column("paid_elsewhere_how", sa.String(20), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("refund") as table:
        table.drop_column("paid_elsewhere_how")
