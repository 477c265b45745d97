"""What a member of staff had typed when a sign-in ended is kept until the next one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "b3e60f1d7c28"
down_revision = "b3d90f1e7a42"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "kept_form",
        sa.Column("id", INT, nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("user_id", INT, nullable=False),
        sa.Column("path", sa.String(1000), nullable=False),
        sa.Column("page", sa.String(1000), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_kept_form_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_form")),
        sa.UniqueConstraint("token", name=op.f("uq_kept_form_token")),
    )
    op.create_index("ix_kept_form_kept_at", "kept_form", ["kept_at"])


def downgrade() -> None:
    op.drop_index("ix_kept_form_kept_at", "kept_form")
    op.drop_table("kept_form")
