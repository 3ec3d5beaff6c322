"""Relationships, ownership and notes.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# An edge belongs to the two customers it joins: whoever sees one of them sees that there is an edge.
EDGES_BY_EITHER_END = """
ALTER TABLE relationship ENABLE ROW LEVEL SECURITY;
CREATE POLICY relationship_with_customer ON relationship USING (
  current_setting('huanying.org_scope', true) = '*'
  OR EXISTS (SELECT 1 FROM customer WHERE customer.id = relationship.from_id)
  OR EXISTS (SELECT 1 FROM customer WHERE customer.id = relationship.to_id))
"""

# The lead branch sees all shares of its customer, a co-managing branch its own.
SHARES_BY_BRANCH = """
ALTER TABLE customer_branch ENABLE ROW LEVEL SECURITY;
CREATE POLICY customer_branch_scope ON customer_branch USING (
  in_org_scope(org_path) OR EXISTS (SELECT 1 FROM customer WHERE customer.id = customer_branch.customer_id))
"""

# The functions below see every branch (SECURITY DEFINER): a sum over the visible shares would not be 1.
SHARES = """
CREATE FUNCTION ownership_day() RETURNS date LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('huanying.effective_on', true), '')::date,
                  (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date)
$$;
CREATE FUNCTION set_customer_branches(one uuid, orgs text[], roles text[], shares numeric[], day date)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  DELETE FROM customer_branch WHERE customer_id = one AND valid_to IS NULL AND valid_from >= day;
  UPDATE customer_branch SET valid_to = day WHERE customer_id = one AND valid_to IS NULL;
  INSERT INTO customer_branch (customer_id, org_path, role, share, valid_from)
  SELECT one, org, role, share, day FROM unnest(orgs, roles, shares) AS s(org, role, share);
END $$;
CREATE FUNCTION check_customer_branches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  one uuid := coalesce(NEW.customer_id, OLD.customer_id);
  total numeric; leads bigint; lead_org text; at_home text;
BEGIN
  SELECT sum(share), count(*) FILTER (WHERE role = 'lead'), min(org_path) FILTER (WHERE role = 'lead')
  INTO total, leads, lead_org FROM customer_branch WHERE customer_id = one AND valid_to IS NULL;
  IF total IS NULL THEN RETURN NULL; END IF;
  SELECT org_path INTO at_home FROM customer WHERE id = one;
  IF total <> 1 OR leads <> 1 OR lead_org <> at_home THEN
    RAISE EXCEPTION 'the branch shares of a customer add up to 1 and its own branch leads'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER customer_branch_adds_up AFTER INSERT OR UPDATE OR DELETE ON customer_branch
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_customer_branches()
"""

# A customer that moves to a branch which shares it already trades places with it: moving back is exact.
OWNERSHIP_CHANGES = """
CREATE FUNCTION move_lead(one uuid, origin text, destination text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE orgs text[]; roles text[]; shares numeric[];
BEGIN
  SELECT array_agg(CASE org_path WHEN origin THEN destination WHEN destination THEN origin ELSE org_path END),
         array_agg(role), array_agg(share)
  INTO orgs, roles, shares FROM customer_branch WHERE customer_id = one AND valid_to IS NULL;
  IF orgs IS NOT NULL THEN PERFORM set_customer_branches(one, orgs, roles, shares, day); END IF;
END $$;
CREATE FUNCTION record_ownership_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  INSERT INTO ownership_change (customer_id, before_org, before_primary, before_backup,
    after_org, after_primary, after_backup, cause, reason, changed_by, changed_at, effective_on)
  VALUES (NEW.id, OLD.org_path, OLD.primary_manager, OLD.backup_manager,
    NEW.org_path, NEW.primary_manager, NEW.backup_manager,
    CASE WHEN NEW.merged_into IS DISTINCT FROM OLD.merged_into THEN 'merge'
         ELSE coalesce(nullif(current_setting('huanying.cause', true), ''), 'assignment') END,
    nullif(current_setting('huanying.reason', true), ''),
    coalesce(nullif(current_setting('huanying.actor', true), ''), 'system'),
    clock_timestamp(), ownership_day());
  IF NEW.org_path <> OLD.org_path THEN
    PERFORM move_lead(NEW.id, OLD.org_path, NEW.org_path, ownership_day());
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER customer_ownership AFTER UPDATE OF org_path, primary_manager, backup_manager ON customer
  FOR EACH ROW WHEN ((OLD.org_path, OLD.primary_manager, OLD.backup_manager)
    IS DISTINCT FROM (NEW.org_path, NEW.primary_manager, NEW.backup_manager))
  EXECUTE FUNCTION record_ownership_change()
"""

# Whom a member of staff still looks after, also where the caller does not see it. Says how many, no more.
PORTFOLIO_SIZE = """
CREATE FUNCTION portfolio_size(code text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT count(*) FROM customer WHERE (primary_manager = code OR backup_manager = code)
    AND merged_into IS NULL AND status <> 'erased'
$$
"""

TABLES = (
    "complaint",
    "interaction",
    "need_note",
    "handover_item",
    "handover",
    "ownership_change",
    "customer_branch",
    "relationship",
)
FUNCTIONS = (
    "record_ownership_change()",
    "move_lead(uuid, text, text, date)",
    "check_customer_branches()",
    "set_customer_branches(uuid, text[], text[], numeric[], date)",
    "ownership_day()",
    "portfolio_size(text)",
)


def upgrade() -> None:
    op.create_table(
        "relationship",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("share", sa.Numeric(precision=7, scale=6), nullable=True),
        sa.Column("strength", sa.Numeric(precision=5, scale=4), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["from_id"], ["customer.id"], name=op.f("fk_relationship_from_id")),
        sa.ForeignKeyConstraint(["to_id"], ["customer.id"], name=op.f("fk_relationship_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relationship")),
        sa.UniqueConstraint("from_id", "kind", "to_id", "valid_from", name="uq_relationship_edge"),
    )
    op.create_index("ix_relationship_to_id_kind", "relationship", ["to_id", "kind"], unique=False)
    op.create_table(
        "customer_branch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("share", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_branch_customer_id")
        ),
        sa.ForeignKeyConstraint(["org_path"], ["org_unit.code"], name=op.f("fk_customer_branch_org_path")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_branch")),
    )
    op.create_index(
        "ix_customer_branch_customer_id_valid_from",
        "customer_branch",
        ["customer_id", "valid_from"],
        unique=False,
    )
    op.create_index(
        "ix_customer_branch_org_path",
        "customer_branch",
        [sa.literal_column("org_path text_pattern_ops"), "customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_customer_branch_present",
        "customer_branch",
        ["customer_id", "org_path"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.create_table(
        "ownership_change",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("before_org", sa.Text(), nullable=False),
        sa.Column("before_primary", sa.Text(), nullable=True),
        sa.Column("before_backup", sa.Text(), nullable=True),
        sa.Column("after_org", sa.Text(), nullable=False),
        sa.Column("after_primary", sa.Text(), nullable=True),
        sa.Column("after_backup", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("published", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ownership_change")),
    )
    op.create_index(
        "ix_ownership_change_customer_id_seq", "ownership_change", ["customer_id", "seq"], unique=False
    )
    op.create_index(
        "ix_ownership_change_unpublished",
        "ownership_change",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("keep_in_branch", sa.Boolean(), nullable=False),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Text(), nullable=True),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("left", sa.Integer(), server_default="0", nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff"], ["staff.code"], name=op.f("fk_handover_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index(
        "ix_handover_due",
        "handover",
        ["effective_on"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_handover_open",
        "handover",
        ["staff"],
        unique=True,
        postgresql_where=sa.text("state IN ('planned', 'running', 'undoing')"),
    )
    op.create_index("ix_handover_staff", "handover", ["staff", "created_at"], unique=False)
    op.create_table(
        "handover_item",
        sa.Column("handover_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("before_org", sa.Text(), nullable=False),
        sa.Column("before_primary", sa.Text(), nullable=True),
        sa.Column("before_backup", sa.Text(), nullable=True),
        sa.Column("after_org", sa.Text(), nullable=False),
        sa.Column("after_primary", sa.Text(), nullable=False),
        sa.Column("after_backup", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_handover_item_customer_id")),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"], name=op.f("fk_handover_item_handover_id")),
        sa.PrimaryKeyConstraint("handover_id", "customer_id", name=op.f("pk_handover_item")),
    )
    op.create_index(
        "ix_handover_item_state", "handover_item", ["handover_id", "state", "customer_id"], unique=False
    )
    op.create_table(
        "need_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("staff", sa.Text(), nullable=True),
        sa.Column("needs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("risk_attitude", sa.Text(), nullable=True),
        sa.Column("stated_by", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_need_note_customer_id")),
        sa.ForeignKeyConstraint(["staff"], ["staff.code"], name=op.f("fk_need_note_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_need_note")),
    )
    op.create_index("ix_need_note_customer_id", "need_note", ["customer_id", "id"], unique=False)
    op.create_index(
        "ix_need_note_due",
        "need_note",
        ["next_on", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_need_note_staff", "need_note", ["staff", "id"], unique=False)
    op.create_table(
        "interaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("staff", sa.Text(), nullable=True),
        sa.Column(
            "participants",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_interaction_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interaction")),
        sa.UniqueConstraint("source", "event_id", name="uq_interaction_event"),
    )
    op.create_index("ix_interaction_at", "interaction", ["at", "id"], unique=False)
    op.create_index("ix_interaction_customer_id_at", "interaction", ["customer_id", "at"], unique=False)
    op.create_index("ix_interaction_staff_at", "interaction", ["staff", "at"], unique=False)
    op.create_table(
        "complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="complaint", nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_complaint_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("customer_id", "source", "reference", name="uq_complaint_reference"),
    )
    op.create_index("ix_complaint_filed_at", "complaint", ["filed_at", "id"], unique=False)
    op.create_index("ix_customer_contact_recorded_at", "customer_contact", ["recorded_at"], unique=False)
    op.execute(EDGES_BY_EITHER_END)
    op.execute(SHARES_BY_BRANCH)
    op.execute(SHARES)
    op.execute(OWNERSHIP_CHANGES)
    op.execute(PORTFOLIO_SIZE)
    enable_org_rls("handover")
    enable_parent_rls("handover_item", "handover_id", "handover")
    for table in ("ownership_change", "need_note", "interaction", "complaint"):
        enable_parent_rls(table, "customer_id", "customer")


def downgrade() -> None:
    op.execute("DROP TRIGGER customer_ownership ON customer")
    op.drop_index("ix_customer_contact_recorded_at", "customer_contact")
    for table in TABLES:
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
