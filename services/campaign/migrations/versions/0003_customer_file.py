"""Merged and erased customers.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_parent_rls

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A finished contact opens again only if it was withdrawn for a reason that may pass; who was decided on stays
# the same person.
CONTACT_STAYS_DECIDED = """
CREATE OR REPLACE FUNCTION check_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state <> 'assigned' AND NEW.state <> OLD.state
      AND NOT (OLD.state = 'expired' AND NEW.state = 'assigned'
               AND EXISTS (SELECT 1 FROM withdrawal WHERE contact_id = OLD.id)))
     OR (NEW.id, NEW.campaign_id, NEW.customer_id, NEW.arm) IS DISTINCT FROM
        (OLD.id, OLD.campaign_id, OLD.customer_id, OLD.arm) THEN
    RAISE EXCEPTION 'contact % is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""

AS_DECIDED_BEFORE = """
CREATE OR REPLACE FUNCTION check_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state <> 'assigned' AND NEW.state <> OLD.state)
     OR (NEW.id, NEW.campaign_id, NEW.customer_id, NEW.arm) IS DISTINCT FROM
        (OLD.id, OLD.campaign_id, OLD.customer_id, OLD.arm) THEN
    RAISE EXCEPTION 'contact % is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""

# An attempt stays as it was recorded; only what was noted of an erased customer goes.
NOTES_MAY_GO = """
CREATE FUNCTION check_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  OLD.note := NULL;
  IF TG_OP = 'DELETE' OR NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'attempt is append-only';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER attempt_append_only ON attempt;
CREATE TRIGGER attempt_append_only BEFORE UPDATE OR DELETE ON attempt
  FOR EACH ROW EXECUTE FUNCTION check_attempt()
"""

# Who is in the audience is frozen; which branch answers for them follows the customer.
BRANCHES_MAY_CHANGE = """
CREATE FUNCTION check_audience() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'audience_member is append-only';
  END IF;
  OLD.org_path := NEW.org_path;
  IF NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'audience_member is append-only';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER audience_frozen ON audience_member;
CREATE TRIGGER audience_frozen BEFORE UPDATE OR DELETE ON audience_member
  FOR EACH ROW EXECUTE FUNCTION check_audience()
"""

AS_STRICT_AS_BEFORE = """
DROP TRIGGER attempt_append_only ON attempt;
DROP TRIGGER audience_frozen ON audience_member;
DROP FUNCTION check_attempt();
DROP FUNCTION check_audience();
CREATE TRIGGER attempt_append_only BEFORE UPDATE OR DELETE ON attempt
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER audience_frozen BEFORE UPDATE OR DELETE ON audience_member
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""

REASON = (
    "CASE state WHEN 'suppressed' THEN reason IS NOT NULL WHEN 'expired' THEN true ELSE reason IS NULL END"
)


def upgrade() -> None:
    op.add_column("known_customer", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.create_index(
        op.f("ix_known_customer_merged_into"),
        "known_customer",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    for name, kind in (
        ("taken_from", sa.Text()),
        ("taken_because", sa.Text()),
        ("taken_at", sa.DateTime(timezone=True)),
        ("taken_state", sa.Text()),
    ):
        op.add_column("task", sa.Column(name, kind, nullable=True))
    op.create_table(
        "erased_customer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erased_customer")),
    )
    op.create_table(
        "merge_told",
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_merge_told")),
    )
    op.create_table(
        "withdrawal",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("merge_id", sa.Uuid(), nullable=True),
        sa.Column("task_state", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_withdrawal_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_withdrawal")),
    )
    op.create_index(
        "ix_task_taken_from",
        "task",
        ["taken_from"],
        unique=False,
        postgresql_where=sa.text("taken_from IS NOT NULL"),
    )
    op.create_index(op.f("ix_withdrawal_merge_id"), "withdrawal", ["merge_id"], unique=False)
    enable_parent_rls("withdrawal", "contact_id", "contact")
    op.drop_constraint(op.f("ck_contact_reason"), "contact", type_="check")
    op.create_check_constraint(op.f("ck_contact_reason"), "contact", REASON)
    for statement in (CONTACT_STAYS_DECIDED, NOTES_MAY_GO, BRANCHES_MAY_CHANGE):
        op.execute(statement)


def downgrade() -> None:
    op.execute(AS_STRICT_AS_BEFORE)
    op.execute(AS_DECIDED_BEFORE)
    op.execute("UPDATE contact SET reason = NULL WHERE state = 'expired'")
    op.drop_constraint(op.f("ck_contact_reason"), "contact", type_="check")
    op.create_check_constraint(
        op.f("ck_contact_reason"), "contact", "(state = 'suppressed') = (reason IS NOT NULL)"
    )
    for table in ("withdrawal", "merge_told", "erased_customer"):
        op.drop_table(table)
    op.drop_index("ix_task_taken_from", table_name="task")
    for name in ("taken_from", "taken_because", "taken_at", "taken_state"):
        op.drop_column("task", name)
    op.drop_index(op.f("ix_known_customer_merged_into"), table_name="known_customer")
    op.drop_column("known_customer", "merged_into")
