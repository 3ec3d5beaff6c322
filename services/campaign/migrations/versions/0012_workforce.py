"""Absences, capacity, coaching, overdue tasks and feedback.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from shared.ddl import enable_org_rls, enable_parent_rls

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MINUTES = sa.Numeric(8, 2)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("task", sa.Column("planned_minutes", MINUTES, server_default="0", nullable=False))
    op.add_column(
        "task", sa.Column("beyond_capacity", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("task", sa.Column("escalated_at", MOMENT, nullable=True))
    absence_tables()
    capacity_tables()
    coaching_table()
    feedback_table()


def absence_tables() -> None:
    op.create_table(
        "manager_absence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("substitute", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("cancelled_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_manager_absence_period")),
        sa.CheckConstraint("substitute <> manager", name=op.f("ck_manager_absence_substitute")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manager_absence")),
    )
    op.create_index(op.f("ix_manager_absence_manager"), "manager_absence", ["manager"], unique=False)
    op.create_index(
        "ix_manager_absence_open",
        "manager_absence",
        ["ends_on"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    enable_org_rls("manager_absence")
    op.create_table(
        "absence_move",
        sa.Column("absence_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("moved_from", sa.Text(), nullable=False),
        sa.Column("moved_to", sa.Text(), nullable=True),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("task_state", sa.Text(), nullable=False),
        sa.Column("task_version", sa.Integer(), nullable=False),
        sa.Column("moved_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["absence_id"], ["manager_absence.id"], name=op.f("fk_absence_move_absence_id_manager_absence")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_absence_move_task_id_task")),
        sa.PrimaryKeyConstraint("absence_id", "task_id", name=op.f("pk_absence_move")),
    )
    op.create_index(op.f("ix_absence_move_task_id"), "absence_move", ["task_id"], unique=False)
    enable_parent_rls("absence_move", "task_id", "task")


def capacity_tables() -> None:
    op.create_table(
        "manager_capacity",
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("minutes_per_day", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.CheckConstraint("minutes_per_day BETWEEN 0 AND 1440", name=op.f("ck_manager_capacity_day")),
        sa.PrimaryKeyConstraint("manager", name=op.f("pk_manager_capacity")),
    )
    enable_org_rls("manager_capacity")
    op.create_table(
        "manager_day",
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Numeric(12, 2), nullable=False),
        sa.PrimaryKeyConstraint("manager", "day", name=op.f("pk_manager_day")),
    )


def coaching_table() -> None:
    op.create_table(
        "coaching_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", MOMENT, nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_coaching_note_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_note")),
    )
    op.create_index(op.f("ix_coaching_note_task_id"), "coaching_note", ["task_id"], unique=False)
    op.create_index(op.f("ix_coaching_note_manager_id"), "coaching_note", ["manager", "id"], unique=False)
    enable_parent_rls("coaching_note", "task_id", "task")


def feedback_table() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=True),
        sa.Column("script", sa.Text(), nullable=True),
        sa.Column("offer", sa.Text(), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("kind IN ('list', 'script', 'offer')", name=op.f("ck_feedback_kind")),
        sa.CheckConstraint("state IN ('open', 'answered', 'closed')", name=op.f("ck_feedback_state")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_feedback_rating")),
        sa.CheckConstraint(
            "(kind = 'script') = (script IS NOT NULL) AND (kind = 'offer') = (offer IS NOT NULL)",
            name=op.f("ck_feedback_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_feedback_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_feedback_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_campaign_id"), "feedback", ["campaign_id"], unique=False)
    op.create_index(
        op.f("ix_feedback_task_id"),
        "feedback",
        ["task_id"],
        unique=False,
        postgresql_where=sa.text("task_id IS NOT NULL"),
    )
    enable_org_rls("feedback")


def downgrade() -> None:
    for table in (
        "feedback",
        "coaching_note",
        "manager_day",
        "manager_capacity",
        "absence_move",
        "manager_absence",
    ):
        op.drop_table(table)
    for column in ("escalated_at", "beyond_capacity", "planned_minutes"):
        op.drop_column("task", column)
