"""A report of a reconciliation has notes: what is no difference and good to know."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8e1f4c20b7d6"
down_revision = "5b90c7e1d3a8"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("reconciliation", sa.Column("notes", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("reconciliation", "notes")
