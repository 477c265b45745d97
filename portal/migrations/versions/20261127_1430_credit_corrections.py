"""Documents that lower a credit note by what was closed without payment after its issue."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "7b1f4e90c3a6"
down_revision = "a7c41f9be052"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSAL = "a row of credit_correction is never changed or removed; add one that reverses it"


def upgrade() -> None:
    op.create_table(
        "credit_correction",
        sa.Column("id", INT, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("note_id", INT, nullable=False),
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
        sa.CheckConstraint("gross_minor > 0", name=op.f("ck_credit_correction_gross")),
        sa.ForeignKeyConstraint(["note_id"], ["credit_note.id"], name=op.f("fk_credit_correction_note_id_credit_note")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_correction")),
        sa.UniqueConstraint("file_key", name=op.f("uq_credit_correction_file_key")),
        sa.UniqueConstraint("number", name=op.f("uq_credit_correction_number")),
    )
    op.create_index("ix_credit_correction_note_id", "credit_correction", ["note_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER credit_correction_no_{verb} BEFORE {verb} ON credit_correction "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
    else:
        op.execute(
            "CREATE OR REPLACE FUNCTION credit_correction_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER credit_correction_append_only BEFORE UPDATE OR DELETE ON credit_correction "
            "FOR EACH ROW EXECUTE FUNCTION credit_correction_append_only()"
        )


def downgrade() -> None:
    op.drop_table("credit_correction")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION credit_correction_append_only()")
