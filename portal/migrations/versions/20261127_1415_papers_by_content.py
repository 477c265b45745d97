"""Where the papers of a parcel are kept follows from what stands on them, so that its row no longer says it."""

import sqlalchemy as sa
from alembic import op

revision = "a7c41f9be052"
down_revision = "d90b62c7e1f4"

KEYS = ("pdf_key", "slip_key")


def upgrade() -> None:
    with op.batch_alter_table("label") as table:
        for key in KEYS:
            table.drop_column(key)


def downgrade() -> None:
    with op.batch_alter_table("label") as table:
        for key in KEYS:
            table.add_column(sa.Column(key, sa.String(80)))
