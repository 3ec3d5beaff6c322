"""Statements the migrations of every service share. Called from alembic revisions only."""

from alembic import op
from procrastinate.schema import SchemaManager

IN_ORG_SCOPE = """
CREATE FUNCTION in_org_scope(path text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT current_setting('huanying.org_scope', true) = '*'
      OR path = current_setting('huanying.org_scope', true)
      OR starts_with(path, current_setting('huanying.org_scope', true) || '.')
$$
"""

# One notification a statement wakes the relay at commit; it also polls, so a lost one costs a second.
OUTBOX_TRIGGER = """
CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox()
"""

# The chain is only worth something if the application cannot rewrite it.
AUDIT_APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION audit_head() RETURNS TABLE (seq bigint, hash bytea) LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = public AS $$ SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1 $$
"""


def create_plumbing() -> None:
    """What every service needs besides its tables: scope function, triggers, job queue, policies.

    Call it in the first revision, after the tables of `shared.db` were created.
    """
    op.execute(IN_ORG_SCOPE)
    op.execute(OUTBOX_TRIGGER)
    op.execute(AUDIT_APPEND_ONLY)
    # Straight to the driver, without parameters: the script has colons and percent signs of its own.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("migrations run against a live connection")
    driver.execute(SchemaManager.get_schema())
    enable_org_rls("audit_log")
    enable_org_rls("job")


def enable_org_rls(table: str, column: str = "org_path") -> None:
    """Rows belong to an organisation: only its scope and those above see or touch them."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_org_scope ON {table} USING (in_org_scope({column}))")


def enable_parent_rls(table: str, key: str, parent: str, parent_key: str = "id") -> None:
    """Rows belong to a row of `parent` and are visible with it, wherever it moves."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY {table}_with_{parent} ON {table} USING ("  # noqa: S608 - names are ours
        "current_setting('huanying.org_scope', true) = '*' OR EXISTS "
        f"(SELECT 1 FROM {parent} WHERE {parent}.{parent_key} = {table}.{key}))"
    )
