"""Scorecards that take the place of a published one.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KIND = ["level", "depth", "period", "org_path"]
OLD_UNIQUE = "uq_scorecard_level_depth_period_org_path_state"

# The one change there is of what was published: that another took its place.
AT_MOST_SUPERSEDED = """
CREATE OR REPLACE FUNCTION refuse_scorecard_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'draft' THEN RETURN coalesce(NEW, OLD); END IF;
  IF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state = 'superseded'
     AND NEW.superseded_by IS NOT NULL AND NEW.superseded_at IS NOT NULL
     AND to_jsonb(NEW) - '{state,superseded_by,superseded_at}'::text[]
       = to_jsonb(OLD) - '{state,superseded_by,superseded_at}'::text[] THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'a published scorecard never changes';
END $$;
CREATE OR REPLACE FUNCTION refuse_scorecard_subject_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF EXISTS (SELECT FROM scorecard WHERE id = coalesce(NEW.scorecard_id, OLD.scorecard_id)
             AND state <> 'draft') THEN
    RAISE EXCEPTION 'a published scorecard never changes';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$
"""
NEVER_CHANGED = """
CREATE OR REPLACE FUNCTION refuse_scorecard_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'published' THEN RAISE EXCEPTION 'a published scorecard never changes'; END IF;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE OR REPLACE FUNCTION refuse_scorecard_subject_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF EXISTS (SELECT FROM scorecard WHERE id = coalesce(NEW.scorecard_id, OLD.scorecard_id)
             AND state = 'published') THEN
    RAISE EXCEPTION 'a published scorecard never changes';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$
"""
# Only what is in force fits where there is one of each; nothing can be told of the others there.
FORGET_SUPERSEDED = """
ALTER TABLE scorecard DISABLE TRIGGER scorecard_frozen;
ALTER TABLE scorecard_subject DISABLE TRIGGER scorecard_subject_frozen;
UPDATE scorecard SET supersedes = NULL WHERE supersedes IS NOT NULL;
DELETE FROM scorecard_subject USING scorecard
 WHERE scorecard.id = scorecard_subject.scorecard_id AND scorecard.state = 'superseded';
DELETE FROM scorecard WHERE state = 'superseded';
ALTER TABLE scorecard_subject ENABLE TRIGGER scorecard_subject_frozen;
ALTER TABLE scorecard ENABLE TRIGGER scorecard_frozen
"""


def upgrade() -> None:
    for column in (
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("supersedes", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("scorecard", column)
    for name in ("supersedes", "superseded_by"):
        op.create_foreign_key(op.f(f"fk_scorecard_{name}"), "scorecard", "scorecard", [name], ["id"])
    op.execute("ALTER TABLE scorecard DISABLE TRIGGER scorecard_frozen")
    op.execute("UPDATE scorecard SET number = 1 WHERE state = 'published'")
    op.execute("ALTER TABLE scorecard ENABLE TRIGGER scorecard_frozen")
    op.execute(AT_MOST_SUPERSEDED)
    op.drop_constraint(OLD_UNIQUE, "scorecard")
    standing = sa.text("state <> 'superseded'")
    op.create_index(
        "uq_scorecard_standing", "scorecard", [*KIND, "state"], unique=True, postgresql_where=standing
    )
    op.create_index("uq_scorecard_number", "scorecard", [*KIND, "number"], unique=True)
    op.create_index("uq_scorecard_supersedes", "scorecard", ["supersedes"], unique=True)


def downgrade() -> None:
    op.execute(FORGET_SUPERSEDED)
    op.execute(NEVER_CHANGED)
    for name in ("uq_scorecard_supersedes", "uq_scorecard_number", "uq_scorecard_standing"):
        op.drop_index(name, table_name="scorecard")
    op.create_unique_constraint(OLD_UNIQUE, "scorecard", [*KIND, "state"])
    for name in ("superseded_at", "superseded_by", "reason", "supersedes", "number"):
        op.drop_column("scorecard", name)
