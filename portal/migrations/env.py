"""How Alembic runs inside the portal: on the caller's connection, in batches on SQLite."""

from alembic import context

from portal import rows

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=rows.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    user_module_prefix="portal.db.",
)
with context.begin_transaction():
    context.run_migrations()
