"""History, consents and erasure.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

ACTOR = "nullif(current_setting('huanying.actor', true), '')"
REASON = "nullif(current_setting('huanying.reason', true), '')"

# Set-based: one insert a statement, whatever it updates. The first update in a transaction saves the version
# as it was; when the version is counted up later it is there already. Runs as the owner: the application has
# no need to write history itself.
KEEP_HISTORY = """
CREATE FUNCTION keep_customer_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
  INSERT INTO customer_history (customer_id, version, kind, status, merged_into, org_path, primary_manager,
    backup_manager, gender, birth_date, occupation, industry, risk_level, risk_valid_until, customer_since,
    consents, pii, recorded_from, changed_by, change_reason)
  SELECT id, version, kind, status, merged_into, org_path, primary_manager, backup_manager, gender, birth_date,
    occupation, industry, risk_level, risk_valid_until, customer_since, consents, pii, updated_at, changed_by,
    change_reason
  FROM old_rows ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER customer_keep_history AFTER UPDATE ON customer REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION keep_customer_history()
"""

SIGN_VERSION = f"""
CREATE FUNCTION sign_customer_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_by := {ACTOR};
  NEW.change_reason := {REASON};
  RETURN NEW;
END $$;
CREATE TRIGGER customer_sign_version BEFORE UPDATE ON customer FOR EACH ROW
  WHEN (NEW.version IS DISTINCT FROM OLD.version) EXECUTE FUNCTION sign_customer_version()
"""

KEEP_BALANCES = """
CREATE FUNCTION keep_superseded_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
  INSERT INTO holding_day_superseded (customer_id, account, as_of, measured_at, balance, recorded_from,
    superseded_at)
  SELECT o.customer_id, o.account, o.as_of, o.measured_at, o.balance, o.recorded_at, n.recorded_at
  FROM old_rows o JOIN new_rows n USING (customer_id, account, as_of)
  WHERE o.balance <> n.balance
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER holding_day_keep_superseded AFTER UPDATE ON holding_day
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION keep_superseded_balances()
"""

LEDGER_APPEND_ONLY = """
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER consent_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()
"""

# What was said before there was a ledger is its beginning.
BEGIN_LEDGER = """
INSERT INTO consent_entry (customer_id, channel, purpose, changed_at, granted, source, recorded_at)
SELECT customer_id, channel, purpose, changed_at, granted, source, changed_at FROM consent
"""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _history()
    _consents()
    _rights()


def _history() -> None:
    for name, default in (("changed_by", ACTOR), ("change_reason", REASON)):
        op.add_column("customer", sa.Column(name, sa.Text(), nullable=True))
        op.alter_column("customer", name, server_default=sa.text(default))
    op.create_table(
        "customer_history",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("primary_manager", sa.Text(), nullable=True),
        sa.Column("backup_manager", sa.Text(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("occupation", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("risk_level", sa.Text(), nullable=True),
        sa.Column("risk_valid_until", sa.Date(), nullable=True),
        sa.Column("customer_since", sa.Date(), nullable=True),
        sa.Column("consents", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pii", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("change_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "version", name=op.f("pk_customer_history")),
    )
    op.add_column("holding_day", sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "holding_day_superseded",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("balance", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "customer_id",
            "account",
            "as_of",
            "measured_at",
            "balance",
            name=op.f("pk_holding_day_superseded"),
        ),
    )
    for table in ("customer_history", "holding_day_superseded"):
        enable_parent_rls(table, "customer_id", "customer")
    for statement in (KEEP_HISTORY, SIGN_VERSION, KEEP_BALANCES):
        op.execute(statement)


def _consents() -> None:
    op.add_column("consent", sa.Column("purpose", sa.Text(), server_default="marketing", nullable=False))
    op.add_column("consent", sa.Column("valid_until", sa.Date(), nullable=True))
    op.add_column(
        "consent", sa.Column("expired", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.drop_constraint("pk_consent", "consent")
    op.create_primary_key("pk_consent", "consent", ["customer_id", "channel", "purpose"])
    op.create_index(
        "ix_consent_valid_until",
        "consent",
        ["valid_until"],
        postgresql_where=sa.text("granted AND NOT expired AND valid_until IS NOT NULL"),
    )
    op.create_table(
        "consent_entry",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Date(), server_default=sa.text("'9999-12-31'"), nullable=False),
        sa.Column("proof_kind", sa.Text(), nullable=True),
        sa.Column("proof_hash", sa.Text(), nullable=True),
        sa.Column("proof_reference", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), server_default=sa.text(ACTOR), nullable=True),
        sa.PrimaryKeyConstraint(
            "customer_id",
            "channel",
            "purpose",
            "changed_at",
            "granted",
            "source",
            "valid_until",
            name=op.f("pk_consent_entry"),
        ),
    )
    op.execute(BEGIN_LEDGER)
    op.execute(LEDGER_APPEND_ONLY)
    enable_parent_rls("consent_entry", "customer_id", "customer")


def _rights() -> None:
    op.create_table(
        "subject_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_subject_export_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_export")),
    )
    op.create_index(op.f("ix_subject_export_customer_id"), "subject_export", ["customer_id"])
    op.create_index(
        "ix_subject_export_expires_at",
        "subject_export",
        ["expires_at"],
        postgresql_where=sa.text("content IS NOT NULL"),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("do_not_collect_again", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "subjects",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "destroyed",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("audit_seq", sa.Integer(), nullable=True),
        sa.Column("audit_hash", sa.LargeBinary(), nullable=True),
        sa.Column("streams_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> requested_by", name=op.f("ck_erasure_four_eyes")
        ),
        sa.CheckConstraint(
            "state <> 'erased' OR confirmed_by IS NOT NULL", name=op.f("ck_erasure_confirmed")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_erasure_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index(
        "uq_erasure_requested",
        "erasure",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_table(
        "erasure_confirmation",
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasure.id"], name=op.f("fk_erasure_confirmation_erasure_id")
        ),
        sa.PrimaryKeyConstraint("erasure_id", "service", name=op.f("pk_erasure_confirmation")),
    )
    op.create_table(
        "erasure_tombstone",
        sa.Column("identity_hash", sa.LargeBinary(), nullable=False),
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name=op.f("fk_erasure_tombstone_erasure_id")),
        sa.PrimaryKeyConstraint("identity_hash", name=op.f("pk_erasure_tombstone")),
    )
    op.create_table(
        "retention_rule",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_retention_rule")),
    )
    enable_parent_rls("subject_export", "customer_id", "customer")
    enable_org_rls("erasure")
    enable_parent_rls("erasure_confirmation", "erasure_id", "erasure")


def downgrade() -> None:
    for table in (
        "retention_rule",
        "erasure_tombstone",
        "erasure_confirmation",
        "erasure",
        "subject_export",
        "consent_entry",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_ledger_change")
    op.execute("DELETE FROM consent WHERE purpose <> 'marketing'")
    op.drop_index("ix_consent_valid_until", "consent")
    op.drop_constraint("pk_consent", "consent")
    op.create_primary_key("pk_consent", "consent", ["customer_id", "channel"])
    for column in ("purpose", "valid_until", "expired"):
        op.drop_column("consent", column)
    op.execute("DROP TRIGGER holding_day_keep_superseded ON holding_day")
    op.execute("DROP TRIGGER customer_sign_version ON customer")
    op.execute("DROP TRIGGER customer_keep_history ON customer")
    for function in ("keep_superseded_balances", "sign_customer_version", "keep_customer_history"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("holding_day_superseded")
    op.drop_table("customer_history")
    op.drop_column("holding_day", "recorded_at")
    for column in ("changed_by", "change_reason"):
        op.drop_column("customer", column)
