"""Credit notes, complete as they were issued, and the series of their numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "60a1d4c2b7e8"
down_revision = "5e0c4b7a19d3"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSAL = "a row of credit_note is never changed or removed; add one that reverses it"


def upgrade() -> None:
    op.create_table(
        "number_series",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("last", INT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_series")),
    )
    op.create_table(
        "credit_note",
        sa.Column("id", INT, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("order_id", INT, nullable=False),
        sa.Column("return_id", INT, nullable=True),
        sa.Column("refund_id", INT, nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gross_minor", INT, nullable=False),
        sa.Column("tax_minor", INT, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "document",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
        ),
        sa.Column("file_key", sa.String(length=80), nullable=False),
        sa.CheckConstraint("(return_id IS NULL) <> (refund_id IS NULL)", name=op.f("ck_credit_note_of_one_thing")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_credit_note_order_id_order")),
        sa.ForeignKeyConstraint(["refund_id"], ["refund.id"], name=op.f("fk_credit_note_refund_id_refund")),
        sa.ForeignKeyConstraint(["return_id"], ["return.id"], name=op.f("fk_credit_note_return_id_return")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note")),
        sa.UniqueConstraint("file_key", name=op.f("uq_credit_note_file_key")),
        sa.UniqueConstraint("number", name=op.f("uq_credit_note_number")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_credit_note_refund_id")),
        sa.UniqueConstraint("return_id", name=op.f("uq_credit_note_return_id")),
    )
    op.create_index("ix_credit_note_order_id", "credit_note", ["order_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER credit_note_no_{verb} BEFORE {verb} ON credit_note "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
    else:
        op.execute(
            "CREATE OR REPLACE FUNCTION credit_note_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER credit_note_append_only BEFORE UPDATE OR DELETE ON credit_note "
            "FOR EACH ROW EXECUTE FUNCTION credit_note_append_only()"
        )


def downgrade() -> None:
    op.drop_table("credit_note")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION credit_note_append_only()")
    op.drop_table("number_series")
