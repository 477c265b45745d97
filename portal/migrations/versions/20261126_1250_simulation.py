"""Simulations of a policy on the past."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5d2c61a7e0b4"
down_revision = "b41f0c2d7a63"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table(
        "policy_simulation",
        sa.Column("id", big, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("against", big, nullable=False),
        sa.Column("sample", json, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("done", big, nullable=False),
        sa.Column("total", big, nullable=False),
        sa.Column("result", json, nullable=True),
        sa.Column("asked_by", sa.String(length=120), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_simulation")),
    )
    with op.batch_alter_table("policy_simulation", schema=None) as batch_op:
        batch_op.create_index("ix_policy_simulation_hash", ["content_hash"], unique=False)


def downgrade() -> None:
    op.drop_table("policy_simulation")
