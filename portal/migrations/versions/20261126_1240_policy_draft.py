"""The draft of the policy, state by state."""

import sqlalchemy as sa
from alembic import op

revision = "b41f0c2d7a63"
down_revision = "5c1e7a90b3d2"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "policy_draft",
        sa.Column("id", big, nullable=False),
        sa.Column("follows", big, nullable=False),
        sa.Column("base", big, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_draft")),
        sa.UniqueConstraint("follows", name=op.f("uq_policy_draft_follows")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("policy_draft")
