"""Everything the service keeps.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import create_plumbing, enable_org_rls, enable_parent_rls

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The arithmetic of domain/split.py: the first 53 bits of a SHA-256 as a fraction. Written so that the planner
# can inline it, which is six times faster: no STRICT, nothing that is only STABLE. The cast to bytea reads
# backslashes as escapes, so they are doubled.
SPLIT_POSITION = r"""
CREATE FUNCTION split_position(salt text, customer_id uuid) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
  (('x' || left(encode(sha256(replace(salt || ':' || customer_id::text, '\', '\\')::bytea), 'hex'), 14))
    ::bit(56)::bigint >> 3)::double precision / 9007199254740992
"""

# UUIDv8 over campaign, wave and customer (RFC 9562, B.2), as domain/split.py derives it: version in bits
# 55–52, variant in bits 71 and 70.
CONTACT_KEY = """
CREATE FUNCTION contact_key(campaign_id uuid, wave integer, customer_id uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
  encode(set_bit(set_bit(set_bit(set_bit(set_bit(set_bit(
    substring(sha256((campaign_id::text || '/' || wave::text || '/' || customer_id::text)::bytea) FROM 1 FOR 16),
    55, 1), 54, 0), 53, 0), 52, 0), 71, 1), 70, 0), 'hex')::uuid
"""

# A decision that was made stays made, and an attempt stays as it was recorded.
APPEND_ONLY = """
CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE ON approval
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER attempt_append_only BEFORE UPDATE OR DELETE ON attempt
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER script_append_only BEFORE UPDATE OR DELETE ON script
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER offer_append_only BEFORE UPDATE OR DELETE ON offer
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER audience_frozen BEFORE UPDATE OR DELETE ON audience_member
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

# An approval names as maker the one who submitted, and is of the content as submitted.
APPROVAL_FITS_SUBMISSION = """
CREATE FUNCTION check_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM campaign WHERE id = NEW.campaign_id AND submitted_by = NEW.maker
                 AND edited_by <> NEW.checker AND content_hash = NEW.content_hash) THEN
    RAISE EXCEPTION 'the approval does not fit the submission' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approval_fits_submission BEFORE INSERT ON approval
  FOR EACH ROW EXECUTE FUNCTION check_approval()
"""

# A finished contact never opens again, and who was decided on stays the same person.
CONTACT_STAYS_DECIDED = """
CREATE FUNCTION check_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state <> 'assigned' AND NEW.state <> OLD.state)
     OR (NEW.id, NEW.campaign_id, NEW.customer_id, NEW.arm) IS DISTINCT FROM
        (OLD.id, OLD.campaign_id, OLD.customer_id, OLD.arm) THEN
    RAISE EXCEPTION 'contact % is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER contact_stays_decided BEFORE UPDATE ON contact
  FOR EACH ROW EXECUTE FUNCTION check_contact()
"""

# A campaign concerns the organisation that made it, those it is for, those above and those below them.
CAMPAIGN_POLICY = """
ALTER TABLE campaign ENABLE ROW LEVEL SECURITY;
CREATE POLICY campaign_org_scope ON campaign USING (
  current_setting('huanying.org_scope', true) = '*' OR in_org_scope(home_org) OR EXISTS (
    SELECT 1 FROM unnest(orgs) AS covered(path)
    WHERE in_org_scope(covered.path)
       OR starts_with(current_setting('huanying.org_scope', true), covered.path || '.')
  )
)
"""


def upgrade() -> None:
    plumbing_tables()
    read_model_tables()
    campaign_tables()
    ledger_tables()
    create_plumbing()
    for statement in (
        SPLIT_POSITION,
        CONTACT_KEY,
        APPEND_ONLY,
        APPROVAL_FITS_SUBMISSION,
        CONTACT_STAYS_DECIDED,
        CAMPAIGN_POLICY,
    ):
        op.execute(statement)
    for table in ("known_customer", "audience_member", "contact", "task"):
        enable_org_rls(table)
    enable_parent_rls("segment_member", "customer_id", "known_customer")
    enable_parent_rls("suppression", "customer_id", "known_customer")
    enable_parent_rls("attempt", "contact_id", "contact")
    for table in ("approval", "campaign_arm", "campaign_wave"):
        enable_parent_rls(table, "campaign_id", "campaign")
    enable_parent_rls("review", "campaign_id", "campaign")


def downgrade() -> None:
    raise NotImplementedError("the first revision is undone by dropping the database")


def plumbing_tables() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_object"), "audit_log", ["object"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("durable", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("durable", "event_id", name=op.f("pk_inbox")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("progress", sa.Double(), server_default="0", nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_created_at"), "job", ["created_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_unsent", "outbox", ["seq"], unique=False, postgresql_where=sa.text("sent_at IS NULL")
    )
    op.create_table(
        "stored_answer",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_stored_answer")),
    )
    op.create_index(op.f("ix_stored_answer_created_at"), "stored_answer", ["created_at"], unique=False)


def read_model_tables() -> None:
    op.create_table(
        "known_customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("primary_manager", sa.Text(), nullable=True),
        sa.Column("backup_manager", sa.Text(), nullable=True),
        sa.Column("risk_level", sa.SmallInteger(), nullable=True),
        sa.Column("risk_valid_until", sa.Date(), nullable=True),
        sa.Column("consents", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_customer")),
    )
    op.create_index(
        op.f("ix_known_customer_backup_manager_org_path"),
        "known_customer",
        ["backup_manager", "org_path"],
        unique=False,
        postgresql_where=sa.text("backup_manager IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_known_customer_org_path"),
        "known_customer",
        ["org_path"],
        unique=False,
        postgresql_ops={"org_path": "text_pattern_ops"},
    )
    op.create_index(
        op.f("ix_known_customer_primary_manager_org_path"),
        "known_customer",
        ["primary_manager", "org_path"],
        unique=False,
    )
    op.create_table(
        "known_segment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("archived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_segment")),
    )
    op.create_index(op.f("ix_known_segment_key"), "known_segment", ["key"], unique=False)
    op.create_table(
        "segment_member",
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", "customer_id", name=op.f("pk_segment_member")),
    )
    op.create_table(
        "suppression",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('do_not_contact', 'complaint')", name=op.f("ck_suppression_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint("contact_id", name=op.f("uq_suppression_contact_id")),
    )
    op.create_index(op.f("ix_suppression_customer_id"), "suppression", ["customer_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("kind IN ('evaluation', 'recommendation')", name=op.f("ck_review_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_campaign_id_at_id"), "review", ["campaign_id", "at", "id"], unique=False)


def campaign_tables() -> None:
    op.create_table(
        "offer",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("risk", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.Numeric(precision=20, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("risk ~ '^R[1-5]$'", name=op.f("ck_offer_risk")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_offer")),
    )
    op.create_table(
        "script",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("minutes", sa.Double(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk_script")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("home_org", sa.Text(), nullable=False),
        sa.Column("orgs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_hash", sa.Text(), nullable=True),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status NOT IN ('approved', 'scheduled', 'launching', 'running', 'paused', 'completed') OR (approved_by IS NOT NULL AND approved_hash IS NOT NULL AND content_hash IS NOT NULL AND approved_hash = content_hash)",
            name=op.f("ck_campaign_approval_covers_content"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR (submitted_by IS NOT NULL AND approved_by <> submitted_by AND approved_by <> edited_by)",
            name=op.f("ck_campaign_maker_is_not_checker"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("key", name=op.f("uq_campaign_key")),
    )
    op.create_index(op.f("ix_campaign_status"), "campaign", ["status"], unique=False)
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("checker", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("maker <> checker", name=op.f("ck_approval_maker_is_not_checker")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_approval_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_campaign_id"), "approval", ["campaign_id"], unique=False)
    op.create_table(
        "campaign_arm",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("script", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_arm_campaign_id")),
        sa.ForeignKeyConstraint(["offer"], ["offer.key"], name=op.f("fk_campaign_arm_offer")),
        sa.PrimaryKeyConstraint("campaign_id", "key", name=op.f("pk_campaign_arm")),
    )
    op.create_table(
        "campaign_wave",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("wave", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_wave_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "wave", name=op.f("pk_campaign_wave")),
    )


def ledger_tables() -> None:
    op.create_table(
        "audience_member",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_audience_member_campaign_id")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "customer_id", name=op.f("pk_audience_member")),
    )
    op.create_index(
        op.f("ix_audience_member_campaign_id_wave_customer_id"),
        "audience_member",
        ["campaign_id", "wave", "customer_id"],
        unique=False,
    )
    op.create_table(
        "contact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("arm", sa.Text(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.Column("manager", sa.Text(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("minutes", sa.Numeric(precision=12, scale=2), server_default="0", nullable=False),
        sa.Column("cost", sa.Numeric(precision=20, scale=2), server_default="0", nullable=False),
        sa.Column("outcome_amount", sa.Numeric(precision=20, scale=2), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'done') <= (disposition IS NOT NULL)", name=op.f("ck_contact_disposition")
        ),
        sa.CheckConstraint("(state = 'suppressed') = (reason IS NOT NULL)", name=op.f("ck_contact_reason")),
        sa.CheckConstraint(
            "(state IN ('assigned', 'done', 'expired')) = (arm IS NOT NULL) AND (arm IS NULL) = (manager IS NULL)",
            name=op.f("ck_contact_arm"),
        ),
        sa.CheckConstraint(
            "state IN ('suppressed', 'held_out', 'assigned', 'done', 'expired')",
            name=op.f("ck_contact_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("campaign_id", "customer_id", name=op.f("uq_contact_campaign_id_customer_id")),
    )
    op.create_index(
        op.f("ix_contact_campaign_id_wave_customer_id"),
        "contact",
        ["campaign_id", "wave", "customer_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_contact_customer_id_decided_at"),
        "contact",
        ["customer_id", "decided_at"],
        unique=False,
        postgresql_where=sa.text("arm IS NOT NULL"),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "state IN ('assigned', 'accepted', 'started', 'call_back', 'returned', 'done', 'expired')",
            name=op.f("ck_task_state"),
        ),
        sa.ForeignKeyConstraint(["id"], ["contact.id"], name=op.f("fk_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_due_on_id"), "task", ["due_on", "id"], unique=False)
    op.create_index(op.f("ix_task_manager_due_on_id"), "task", ["manager", "due_on", "id"], unique=False)
    op.create_index(
        "ix_task_open",
        "task",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('done', 'expired')"),
    )
    op.create_index(
        "ix_task_open_customer",
        "task",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('done', 'expired')"),
    )
    op.create_table(
        "attempt",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome_amount", sa.Numeric(precision=20, scale=2), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_attempt_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", "number", name=op.f("pk_attempt")),
    )
