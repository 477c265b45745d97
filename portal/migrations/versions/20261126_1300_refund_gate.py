"""A switch that stops all refunds, and refunds that wait for staff above the daily cap."""

import sqlalchemy as sa
from alembic import op

revision = "5d1c0be1a7f2"
down_revision = "5d2c61a7e0b4"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "refund_gate",
        sa.Column("id", INT, nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("quiet_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_gate")),
    )
    op.add_column("refund", sa.Column("way", sa.String(length=10), server_default="refund", nullable=False))
    op.add_column("refund", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refund", sa.Column("let_through_by", sa.String(length=120), server_default="", nullable=False))
    op.create_index("ix_refund_first_submitted", "refund", ["first_submitted_at"])


def downgrade() -> None:
    op.drop_index("ix_refund_first_submitted", table_name="refund")
    # SQLite drops a column in place as well; a rebuilt table would lose what points to it.
    for column in ("let_through_by", "held_at", "way"):
        op.execute(f"ALTER TABLE refund DROP COLUMN {column}")
    op.drop_table("refund_gate")
