"""A page that answers a form is kept for a day, so that a browser can show it again without sending the form again."""

import sqlalchemy as sa
from alembic import op

revision = "b3d90f1e7a42"
down_revision = "4c7a90d25be1"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kept_page",
        sa.Column("id", INT, nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("status", INT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_kept_page_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_page")),
        sa.UniqueConstraint("token", name=op.f("uq_kept_page_token")),
    )
    op.create_index(op.f("ix_kept_page_user_id"), "kept_page", ["user_id"])
    op.create_index(op.f("ix_kept_page_at"), "kept_page", ["at"])


def downgrade() -> None:
    op.drop_table("kept_page")
