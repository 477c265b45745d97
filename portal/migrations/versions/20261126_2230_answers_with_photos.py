"""An answer to a question of staff's may have photos, and the queue knows which questions are answered."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "4c7a90d25be1"
down_revision = "8e1f4c20b7d6"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("review", sa.Column("answered_at", MOMENT, nullable=True))
    with op.batch_alter_table("photo") as batch_op:
        batch_op.add_column(sa.Column("review_id", INT, nullable=True))
        batch_op.create_foreign_key(op.f("fk_photo_review_id_review"), "review", ["review_id"], ["id"])
        batch_op.create_index(op.f("ix_photo_review_id"), ["review_id"])
    review = sa.table(
        "review", sa.column("id"), sa.column("status"), sa.column("data", JSON), sa.column("answered_at", MOMENT)
    )
    connection = op.get_bind()
    for row, data in connection.execute(sa.select(review.c.id, review.c.data).where(review.c.status == "open")).all():
        if asked := (data or {}).get("asked"):
            at = datetime.fromisoformat(asked[-1]["answered_at"]).astimezone(UTC)
            connection.execute(review.update().where(review.c.id == row).values(answered_at=at))


def downgrade() -> None:
    with op.batch_alter_table("photo") as batch_op:
        batch_op.drop_index(op.f("ix_photo_review_id"))
        batch_op.drop_constraint(op.f("fk_photo_review_id_review"), type_="foreignkey")
        batch_op.drop_column("review_id")
    op.drop_column("review", "answered_at")
