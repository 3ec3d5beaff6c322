"""Incremental evaluation.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from pyroaring import BitMap

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("membership", sa.Column("upto", sa.BigInteger(), server_default="0", nullable=False))
    # What was stored so far is complete; its deltas need not be applied again.
    op.execute(
        "UPDATE membership SET upto = coalesce((SELECT max(id) FROM membership_delta AS delta "
        "WHERE delta.segment_id = membership.segment_id), 0)"
    )
    op.add_column("evaluation_state", sa.Column("run_id", sa.Uuid(), nullable=True))
    op.add_column("evaluation_state", sa.Column("language", sa.Text(), nullable=True))
    op.create_table(
        "membership_unseen",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("moved", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["segment_id"], ["segment.id"], name=op.f("fk_membership_unseen_segment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_unseen")),
    )


def downgrade() -> None:
    _fold_deltas()
    op.drop_table("membership_unseen")
    op.drop_column("evaluation_state", "language")
    op.drop_column("evaluation_state", "run_id")
    op.drop_column("membership", "upto")


def _fold_deltas() -> None:
    """Before, a membership was its bitmap alone."""
    connection = op.get_bind()
    later = connection.execute(
        sa.text(
            'SELECT delta.segment_id, delta.joined, delta."left" FROM membership_delta AS delta '
            "JOIN membership USING (segment_id) WHERE delta.id > membership.upto ORDER BY delta.id"
        )
    )
    for segment_id, joined, left in later.fetchall():
        members = connection.scalar(
            sa.text("SELECT members FROM membership WHERE segment_id = :id"), {"id": segment_id}
        )
        folded = (BitMap.deserialize(members) | BitMap.deserialize(joined)) - BitMap.deserialize(left)
        connection.execute(
            sa.text("UPDATE membership SET members = :members WHERE segment_id = :id"),
            {"members": folded.serialize(), "id": segment_id},
        )
