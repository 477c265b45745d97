"""A published policy keeps the laws that it was published with, and the database refuses to change or remove a version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5e0c4b7a19d3"
down_revision = "c93d5e1f40aa"

_REFUSAL = "a row of policy_version is never changed or removed; add one that reverses it"


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("policy_version", sa.Column("laws", json, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER policy_version_no_{verb} BEFORE {verb} ON policy_version "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
    else:
        op.execute(
            "CREATE OR REPLACE FUNCTION policy_version_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            "CREATE TRIGGER policy_version_append_only BEFORE UPDATE OR DELETE ON policy_version "
            "FOR EACH ROW EXECUTE FUNCTION policy_version_append_only()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER policy_version_no_{verb}")
    else:
        op.execute("DROP TRIGGER policy_version_append_only ON policy_version")
        op.execute("DROP FUNCTION policy_version_append_only()")
    op.execute("ALTER TABLE policy_version DROP COLUMN laws")
