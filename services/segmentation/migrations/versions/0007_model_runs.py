"""Model runs of every kind and their scores.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_RUN = (
    ("previous_run_id", sa.Uuid()),
    ("understanding", _JSON),
    ("report", _JSON),
    ("versions", _JSON),
    ("input_digest", sa.Text()),
    ("result_digest", sa.Text()),
    ("reproduction", _JSON),
    ("approved_by", sa.Text()),
    ("approved_at", sa.DateTime(timezone=True)),
    ("approval_note", sa.Text()),
)
_CLUSTER = (("name", _JSON), ("rule", sa.Text()), ("rule_quality", _JSON))


def upgrade() -> None:
    op.add_column("model", sa.Column("success", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "model", sa.Column("needs_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    for name, type_ in _RUN:
        op.add_column("model_run", sa.Column(name, type_, nullable=True))
    for name, type_ in _CLUSTER:
        op.add_column("model_cluster", sa.Column(name, type_, nullable=True))
    op.create_table(
        "model_score",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["model_run.id"], name=op.f("fk_model_score_run_id_model_run")),
        sa.PrimaryKeyConstraint("run_id", "part", name=op.f("pk_model_score")),
    )
    op.create_table(
        "model_input",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["model_run.id"], name=op.f("fk_model_input_run_id_model_run")),
        sa.PrimaryKeyConstraint("run_id", "name", "part", name=op.f("pk_model_input")),
    )


def downgrade() -> None:
    op.drop_table("model_input")
    op.drop_table("model_score")
    for name, _ in _CLUSTER:
        op.drop_column("model_cluster", name)
    for name, _ in _RUN:
        op.drop_column("model_run", name)
    op.drop_column("model", "needs_approval")
    op.drop_column("model", "success")
