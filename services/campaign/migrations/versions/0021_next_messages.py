"""Due messages by campaign, so that a paused one is not walked.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_message_next ON message (channel, campaign_id, due_at, id) WHERE state = 'planned'"
    )
    op.execute("DROP INDEX ix_message_due")


def downgrade() -> None:
    op.execute("CREATE INDEX ix_message_due ON message (channel, due_at, id) WHERE state = 'planned'")
    op.execute("DROP INDEX ix_message_next")
