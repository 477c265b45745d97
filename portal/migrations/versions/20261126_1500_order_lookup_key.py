"""Orders are found however their customer types the number: a key of its figures beside the number itself."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "7a1e64c05d93"
down_revision = "7d3f0a92c1be"

_AT_ONCE = 10_000


def _lookup_key(number: str) -> str:
    letters = (sign for sign in unicodedata.normalize("NFKC", number).upper() if sign.isalnum())
    whole = "".join(str(unicodedata.decimal(sign, sign)) for sign in letters)
    figures = re.fullmatch(r"[^\W\d_]*([0-9]+)", whole)
    return figures[1] if figures else whole or number


def upgrade() -> None:
    op.add_column("order", sa.Column("lookup_key", sa.String(64), nullable=False, server_default=""))
    order = sa.table("order", sa.column("id"), sa.column("number_key"), sa.column("lookup_key"))
    change = order.update().where(order.c.id == sa.bindparam("row")).values(lookup_key=sa.bindparam("key"))
    connection, after = op.get_bind(), 0
    while rows := connection.execute(
        sa.select(order.c.id, order.c.number_key).where(order.c.id > after).order_by(order.c.id).limit(_AT_ONCE)
    ).all():
        connection.execute(change, [{"row": row, "key": _lookup_key(number)} for row, number in rows])
        after = rows[-1][0]
    op.create_index("ix_order_lookup_key", "order", ["lookup_key"])


def downgrade() -> None:
    op.drop_index("ix_order_lookup_key", "order")
    op.drop_column("order", "lookup_key")
