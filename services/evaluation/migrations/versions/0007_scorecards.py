"""Scorecards.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.ddl import enable_org_rls

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What it says of all together concerns everybody who is compared in it, and whoever is above them.
SCORECARD_POLICY = """
ALTER TABLE scorecard ENABLE ROW LEVEL SECURITY;
CREATE POLICY scorecard_org_scope ON scorecard USING (
  in_org_scope(org_path) OR starts_with(current_setting('huanying.org_scope', true), org_path || '.')
)
"""

PUBLISHED_NEVER_CHANGES = """
CREATE FUNCTION refuse_scorecard_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'published' THEN RAISE EXCEPTION 'a published scorecard never changes'; END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER scorecard_frozen BEFORE UPDATE OR DELETE ON scorecard
  FOR EACH ROW EXECUTE FUNCTION refuse_scorecard_change();
CREATE FUNCTION refuse_scorecard_subject_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF EXISTS (SELECT FROM scorecard WHERE id = coalesce(NEW.scorecard_id, OLD.scorecard_id)
             AND state = 'published') THEN
    RAISE EXCEPTION 'a published scorecard never changes';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER scorecard_subject_frozen BEFORE INSERT OR UPDATE OR DELETE ON scorecard_subject
  FOR EACH ROW EXECUTE FUNCTION refuse_scorecard_subject_change()
"""


def upgrade() -> None:
    op.create_table(
        "scorecard",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("computed_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scorecard")),
        sa.UniqueConstraint(
            "level",
            "depth",
            "period",
            "org_path",
            "state",
            name=op.f("uq_scorecard_level_depth_period_org_path_state"),
        ),
    )
    op.create_index("ix_scorecard_computed_at_id", "scorecard", ["computed_at", "id"], unique=False)
    op.create_table(
        "scorecard_subject",
        sa.Column("scorecard_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("staff", sa.Text(), nullable=True),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["scorecard_id"], ["scorecard.id"], name=op.f("fk_scorecard_subject_scorecard_id")
        ),
        sa.PrimaryKeyConstraint("scorecard_id", "subject", name=op.f("pk_scorecard_subject")),
    )
    op.create_index("ix_scorecard_subject_subject", "scorecard_subject", ["subject"], unique=False)
    op.execute(SCORECARD_POLICY)
    enable_org_rls("scorecard_subject")
    op.execute(PUBLISHED_NEVER_CHANGES)


def downgrade() -> None:
    op.drop_table("scorecard_subject")
    op.drop_table("scorecard")
    op.execute("DROP FUNCTION refuse_scorecard_subject_change()")
    op.execute("DROP FUNCTION refuse_scorecard_change()")
