"""Opportunities with their stages and moves, account plans with actions, visits, activity targets.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(20, 2)
JSON = postgresql.JSONB(astext_type=sa.Text())

APPEND_ONLY = """
CREATE TRIGGER opportunity_move_append_only BEFORE UPDATE OR DELETE ON opportunity_move
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite();
CREATE TRIGGER opportunity_stages_append_only BEFORE UPDATE OR DELETE ON opportunity_stages
  FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
"""


def column(name: str, type_: sa.types.TypeEngine[Any], *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=null)


def texts(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [column(name, sa.Text(), null=null) for name in names]


def times(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [column(name, sa.DateTime(timezone=True), null=null) for name in names]


def upgrade() -> None:
    opportunity_tables()
    account_tables()
    visit_table()
    target_table()
    # Attempts from before say it by their contact, which may have changed hands since.
    op.add_column("attempt", sa.Column("manager", sa.Text(), nullable=True))
    op.create_index(op.f("ix_attempt_recorded_at"), "attempt", ["recorded_at"], unique=False)
    for table in ("opportunity", "account_plan", "visit", "activity_target"):
        enable_org_rls(table)
    enable_parent_rls("opportunity_move", "opportunity_id", "opportunity")
    enable_parent_rls("account_action", "plan_id", "account_plan")
    op.execute(APPEND_ONLY)


def opportunity_tables() -> None:
    op.create_table(
        "opportunity_stages",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        column("content", JSON),
        *times("created_at"),
        *texts("created_by"),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_opportunity_stages")),
    )
    op.create_table(
        "opportunity",
        column("id", sa.Uuid()),
        column("customer_id", sa.Uuid()),
        *texts("org_path", "manager", "status", "stage"),
        *times("stage_since"),
        *texts("name"),
        *texts("offer", "product", null=True),
        column("amount", MONEY),
        *texts("currency", "rad", "source"),
        column("contact_id", sa.Uuid(), null=True),
        column("referral_id", sa.Uuid(), null=True),
        column("expected_close", sa.Date()),
        *texts("next_action", null=True),
        column("next_action_on", sa.Date(), null=True),
        column("won_amount", MONEY, null=True),
        *texts("lost_reason", "lost_note", null=True),
        column("moves", sa.Integer()),
        *times("opened_at"),
        *texts("opened_by"),
        *times("closed_at", null=True),
        *texts("taken_from", "taken_because", null=True),
        column("version", sa.Integer()),
        sa.CheckConstraint("status IN ('open', 'won', 'lost')", name=op.f("ck_opportunity_status")),
        sa.CheckConstraint("rad IN ('retain', 'acquire', 'develop')", name=op.f("ck_opportunity_rad")),
        sa.CheckConstraint(
            "(status = 'open') = (closed_at IS NULL) AND (status = 'won') = (won_amount IS NOT NULL)"
            " AND (status = 'lost') = (lost_reason IS NOT NULL)",
            name=op.f("ck_opportunity_outcome"),
        ),
        sa.CheckConstraint(
            "(source = 'task') = (contact_id IS NOT NULL)"
            " AND (source = 'referral') = (referral_id IS NOT NULL)",
            name=op.f("ck_opportunity_source"),
        ),
        sa.CheckConstraint(
            "amount > 0 AND (won_amount IS NULL OR won_amount > 0)", name=op.f("ck_opportunity_amount")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_opportunity_contact_id_contact")
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"], ["referral.id"], name=op.f("fk_opportunity_referral_id_referral")
        ),
        sa.ForeignKeyConstraint(["offer"], ["offer.key"], name=op.f("fk_opportunity_offer_offer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity")),
        sa.UniqueConstraint("contact_id", name=op.f("uq_opportunity_contact_id")),
        sa.UniqueConstraint("referral_id", name=op.f("uq_opportunity_referral_id")),
    )
    for columns in (
        ["customer_id"],
        ["manager", "expected_close", "id"],
        ["expected_close", "id"],
        ["opened_at"],
    ):
        op.create_index(op.f(f"ix_opportunity_{'_'.join(columns)}"), "opportunity", columns, unique=False)
    op.create_index(
        "ix_opportunity_open_stage",
        "opportunity",
        ["stage"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "opportunity_move",
        column("opportunity_id", sa.Uuid()),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        *texts("from_stage", null=True),
        *texts("to_stage"),
        *times("moved_at"),
        *texts("moved_by"),
        sa.ForeignKeyConstraint(
            ["opportunity_id"],
            ["opportunity.id"],
            name=op.f("fk_opportunity_move_opportunity_id_opportunity"),
        ),
        sa.PrimaryKeyConstraint("opportunity_id", "number", name=op.f("pk_opportunity_move")),
    )


def account_tables() -> None:
    op.create_table(
        "account_plan",
        column("id", sa.Uuid()),
        column("customer_id", sa.Uuid()),
        column("year", sa.Integer()),
        *texts("org_path", "status", "rad", "owner"),
        column("team", JSON),
        *texts("currency"),
        *texts("value_model", null=True),
        column("objectives", JSON),
        *texts("situation", "strategy"),
        *texts("conclusion", null=True),
        column("results", JSON, null=True),
        *times("created_at"),
        *texts("created_by", "edited_by"),
        *times("activated_at", "closed_at", null=True),
        *texts("taken_from", "taken_because", null=True),
        column("version", sa.Integer()),
        sa.CheckConstraint("status IN ('draft', 'active', 'closed')", name=op.f("ck_account_plan_status")),
        sa.CheckConstraint("rad IN ('retain', 'acquire', 'develop')", name=op.f("ck_account_plan_rad")),
        sa.CheckConstraint(
            "(status = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (results IS NULL)",
            name=op.f("ck_account_plan_closed"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_plan")),
        sa.UniqueConstraint("customer_id", "year", name=op.f("uq_account_plan_customer_id_year")),
    )
    op.create_index(op.f("ix_account_plan_owner_year"), "account_plan", ["owner", "year"], unique=False)
    op.create_table(
        "account_action",
        column("id", sa.Uuid()),
        column("plan_id", sa.Uuid()),
        *texts("name", "owner"),
        column("due_on", sa.Date()),
        *times("done_at", null=True),
        *texts("done_by", "result", null=True),
        *times("created_at"),
        *texts("created_by"),
        column("version", sa.Integer()),
        sa.CheckConstraint(
            "(done_at IS NULL) = (done_by IS NULL) AND (done_at IS NULL) = (result IS NULL)",
            name=op.f("ck_account_action_done"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["account_plan.id"],
            name=op.f("fk_account_action_plan_id_account_plan"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_action")),
    )
    op.create_index(op.f("ix_account_action_plan_id"), "account_action", ["plan_id"], unique=False)
    op.create_index(op.f("ix_account_action_due_on_id"), "account_action", ["due_on", "id"], unique=False)


def visit_table() -> None:
    op.create_table(
        "visit",
        column("id", sa.Uuid()),
        column("customer_id", sa.Uuid()),
        *texts("org_path", "manager", "state"),
        *times("at"),
        *texts("purpose"),
        column("participants", JSON),
        column("opportunity_id", sa.Uuid(), null=True),
        column("minutes", sa.Numeric(12, 2), null=True),
        *texts("result", "next_step", null=True),
        column("next_on", sa.Date(), null=True),
        *times("created_at"),
        *texts("created_by"),
        *times("closed_at", null=True),
        *texts("closed_by", "taken_from", "taken_because", null=True),
        column("version", sa.Integer()),
        sa.CheckConstraint("state IN ('planned', 'made', 'cancelled')", name=op.f("ck_visit_state")),
        sa.CheckConstraint(
            "(state = 'planned') = (closed_at IS NULL) AND (closed_at IS NULL) = (closed_by IS NULL)"
            " AND (state = 'made') = (minutes IS NOT NULL)",
            name=op.f("ck_visit_closed"),
        ),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunity.id"], name=op.f("fk_visit_opportunity_id_opportunity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )
    op.create_index(op.f("ix_visit_customer_id"), "visit", ["customer_id"], unique=False)
    op.create_index(op.f("ix_visit_at_id"), "visit", ["at", "id"], unique=False)
    op.create_index(
        "ix_visit_made",
        "visit",
        ["manager", "at"],
        unique=False,
        postgresql_where=sa.text("state = 'made'"),
    )


def target_table() -> None:
    counts = ("calls", "visits", "new_customers", "existing_customers", "opportunities")
    op.create_table(
        "activity_target",
        column("id", sa.Uuid()),
        *texts("org_path"),
        *texts("manager", null=True),
        *texts("period"),
        column("valid_from", sa.Date()),
        *(column(name, sa.Integer(), null=True) for name in counts),
        *times("changed_at"),
        *texts("changed_by"),
        column("version", sa.Integer()),
        sa.CheckConstraint("period IN ('day', 'week', 'month')", name=op.f("ck_activity_target_period")),
        sa.CheckConstraint(
            "least(calls, visits, new_customers, existing_customers, opportunities) >= 0",
            name=op.f("ck_activity_target_not_negative"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_target")),
        sa.UniqueConstraint(
            "org_path",
            "manager",
            "period",
            "valid_from",
            name=op.f("uq_activity_target_org_path_manager_period_valid_from"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_attempt_recorded_at"), "attempt")
    op.drop_column("attempt", "manager")
    for table in (
        "activity_target",
        "visit",
        "account_action",
        "account_plan",
        "opportunity_move",
        "opportunity",
        "opportunity_stages",
    ):
        op.drop_table(table)
