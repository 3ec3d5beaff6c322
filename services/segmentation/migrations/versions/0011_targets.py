"""Target-customer profiles and insight notes.

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

_TABLES = (
    "insight_test",
    "insight_vote",
    "insight_comment",
    "insight",
    "target_alert",
    "target_version",
    "target_profile",
)


def upgrade() -> None:
    _create_targets()
    _create_insights()
    for table in ("target_profile", "insight"):
        enable_org_rls(table)
        # What a unit declares or thinks, those below it may read; changing it stays with the unit.
        op.execute(
            f"CREATE POLICY {table}_from_above ON {table} FOR SELECT USING ("
            "starts_with(current_setting('huanying.org_scope', true), org_path || '.'))"
        )
    enable_org_rls("target_alert")
    enable_parent_rls("target_version", "profile_id", "target_profile")
    for table in ("insight_comment", "insight_vote", "insight_test"):
        enable_parent_rls(table, "insight_id", "insight")


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def _time(name: str, *, nullable: bool = False, filled: bool = False) -> sa.Column[Any]:
    default = sa.text("clock_timestamp()") if filled else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _create_targets() -> None:
    op.create_table(
        "target_profile",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        _json("name"),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        _time("checked_at", nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        _time("created_at", filled=True),
        _time("updated_at", filled=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target_profile")),
    )
    op.create_table(
        "target_version",
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        _json("tolerances"),
        sa.Column("created_by", sa.Text(), nullable=False),
        _time("created_at", filled=True),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["target_profile.id"], name=op.f("fk_target_version_profile_id")
        ),
        sa.PrimaryKeyConstraint("profile_id", "version", name=op.f("pk_target_version")),
    )
    op.create_table(
        "target_alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        _json("shares"),
        _time("detected_at"),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["target_profile.id"], name=op.f("fk_target_alert_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target_alert")),
        sa.UniqueConstraint(
            "profile_id", "org_path", "period", name=op.f("uq_target_alert_profile_id_org_path_period")
        ),
    )


def _create_insights() -> None:
    op.create_table(
        "insight",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_path", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _json("tags"),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("feature", sa.Text(), nullable=True),
        sa.Column("group_sql", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("promoted_segment", sa.Uuid(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        _time("created_at", filled=True),
        _time("updated_at", filled=True),
        sa.ForeignKeyConstraint(
            ["promoted_segment"], ["segment.id"], name=op.f("fk_insight_promoted_segment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insight")),
    )
    op.create_index("ix_insight_state_id", "insight", ["state", "id"])
    op.create_table(
        "insight_comment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insight_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        _time("created_at", filled=True),
        sa.ForeignKeyConstraint(["insight_id"], ["insight.id"], name=op.f("fk_insight_comment_insight_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insight_comment")),
    )
    op.create_index("ix_insight_comment_insight_id_id", "insight_comment", ["insight_id", "id"])
    op.create_table(
        "insight_vote",
        sa.Column("insight_id", sa.Uuid(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        _time("voted_at"),
        sa.ForeignKeyConstraint(["insight_id"], ["insight.id"], name=op.f("fk_insight_vote_insight_id")),
        sa.PrimaryKeyConstraint("insight_id", "voter", name=op.f("pk_insight_vote")),
    )
    op.create_table(
        "insight_test",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("insight_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("group_sql", sa.Text(), nullable=False),
        sa.Column("against_sql", sa.Text(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("minimal_difference", sa.Float(), nullable=False),
        _json("result"),
        _time("evaluated_at"),
        sa.Column("stream_position", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["insight_id"], ["insight.id"], name=op.f("fk_insight_test_insight_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insight_test")),
        sa.UniqueConstraint("insight_id", "number", name=op.f("uq_insight_test_insight_id_number")),
    )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
