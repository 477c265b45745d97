"""A page that answers a customer's form is kept like one of staff's: nobody's by name, its session holds the token."""

import sqlalchemy as sa
from alembic import op

revision = "d90b62c7e1f4"
down_revision = "c5e81d3fa907"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("kept_page") as table:
        table.alter_column("user_id", existing_type=INT, nullable=True)


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM kept_page WHERE user_id IS NULL"))
    with op.batch_alter_table("kept_page") as table:
        table.alter_column("user_id", existing_type=INT, nullable=False)
