"""A token may have an owner; a bonus of store credit is never more than the credit."""

import sqlalchemy as sa
from alembic import op

revision = "5b90c7e1d3a8"
down_revision = "e2b8f03c6a17"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("api_token") as batch_op:
        batch_op.add_column(sa.Column("owner_id", INT, nullable=True))
        batch_op.create_foreign_key(op.f("fk_api_token_owner_id_user"), "user", ["owner_id"], ["id"])
    with op.batch_alter_table("store_credit") as batch_op:
        batch_op.create_check_constraint(op.f("ck_store_credit_bonus"), "bonus_minor >= 0 AND bonus_minor <= amount_minor")


def downgrade() -> None:
    with op.batch_alter_table("store_credit") as batch_op:
        batch_op.drop_constraint(op.f("ck_store_credit_bonus"), type_="check")
    with op.batch_alter_table("api_token") as batch_op:
        batch_op.drop_constraint(op.f("fk_api_token_owner_id_user"), type_="foreignkey")
        batch_op.drop_column("owner_id")
