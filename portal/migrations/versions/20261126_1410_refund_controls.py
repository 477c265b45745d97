"""Refunds that wait for a second person, that are late, and that staff give without a return."""

import sqlalchemy as sa
from alembic import op

revision = "7d3f0a92c1be"
down_revision = "60a1d4c2b7e8"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "goodwill",
        sa.Column("id", INT, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", INT, nullable=False),
        sa.Column("command_key", sa.String(length=80), nullable=False),
        sa.Column("amount_minor", INT, nullable=False),
        sa.Column("tax_minor", INT, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(length=120), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "amount_minor > 0 AND tax_minor >= 0 AND tax_minor <= amount_minor", name=op.f("ck_goodwill_amounts")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_goodwill_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goodwill")),
        sa.UniqueConstraint("command_key", name=op.f("uq_goodwill_command_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_goodwill_public_id")),
    )
    op.create_index("ix_goodwill_order", "goodwill", ["order_id"])
    op.create_table(
        "goodwill_line",
        sa.Column("id", INT, nullable=False),
        sa.Column("goodwill_id", INT, nullable=False),
        sa.Column("order_line_id", INT, nullable=False),
        sa.Column("quantity", INT, nullable=False),
        sa.Column("gross_minor", INT, nullable=False),
        sa.Column("tax_minor", INT, nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_goodwill_line_quantity")),
        sa.ForeignKeyConstraint(["goodwill_id"], ["goodwill.id"], name=op.f("fk_goodwill_line_goodwill_id_goodwill")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_line.id"], name=op.f("fk_goodwill_line_order_line_id_order_line")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_goodwill_line")),
    )
    op.create_index("ix_goodwill_line_goodwill_id", "goodwill_line", ["goodwill_id"])
    op.add_column("refund", sa.Column("held_for", sa.String(length=20), server_default="", nullable=False))
    op.execute("UPDATE refund SET held_for = 'daily_cap' WHERE held_at IS NOT NULL")
    op.add_column("refund", sa.Column("seconded_by", sa.String(length=120), server_default="", nullable=False))
    op.add_column("refund", sa.Column("late_at", MOMENT, nullable=True))
    op.add_column("refund", sa.Column("tax_minor", INT, nullable=True))
    with op.batch_alter_table("refund") as batch_op:
        batch_op.add_column(sa.Column("goodwill_id", INT, nullable=True))
        batch_op.create_foreign_key(op.f("fk_refund_goodwill_id_goodwill"), "goodwill", ["goodwill_id"], ["id"])
        batch_op.create_index("ix_refund_goodwill_id", ["goodwill_id"])
    with op.batch_alter_table("unit_range") as batch_op:
        batch_op.alter_column("return_line_id", existing_type=INT, nullable=True)
        batch_op.add_column(sa.Column("goodwill_line_id", INT, nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_unit_range_goodwill_line_id_goodwill_line"), "goodwill_line", ["goodwill_line_id"], ["id"]
        )
        batch_op.create_index("ix_unit_range_goodwill_line_id", ["goodwill_line_id"])


def downgrade() -> None:
    op.execute("DELETE FROM unit_range WHERE return_line_id IS NULL")
    with op.batch_alter_table("unit_range") as batch_op:
        batch_op.drop_index("ix_unit_range_goodwill_line_id")
        batch_op.drop_constraint(op.f("fk_unit_range_goodwill_line_id_goodwill_line"), type_="foreignkey")
        batch_op.drop_column("goodwill_line_id")
        batch_op.alter_column("return_line_id", existing_type=INT, nullable=False)
    with op.batch_alter_table("refund") as batch_op:
        batch_op.drop_index("ix_refund_goodwill_id")
        batch_op.drop_constraint(op.f("fk_refund_goodwill_id_goodwill"), type_="foreignkey")
        for column in ("goodwill_id", "tax_minor", "late_at", "seconded_by", "held_for"):
            batch_op.drop_column(column)
    op.drop_table("goodwill_line")
    op.drop_table("goodwill")
