"""An article number finds its returns, at the bench and in the search."""

from alembic import op

revision = "e2b8f03c6a17"
down_revision = "c41d7a9e52f0"


def upgrade() -> None:
    op.create_index("ix_order_line_sku", "order_line", ["sku"])


def downgrade() -> None:
    op.drop_index("ix_order_line_sku", "order_line")
