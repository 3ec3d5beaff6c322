"""A response model is seen with its campaign, as results and recommendations are.

Revision ID: 0015
Revises: 0012
"""

from alembic import op

from shared.ddl import enable_parent_rls

revision = "0015"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    enable_parent_rls("response_model", "campaign_id", "registration", "campaign_id")


def downgrade() -> None:
    op.execute("DROP POLICY response_model_with_registration ON response_model")
    op.execute("ALTER TABLE response_model DISABLE ROW LEVEL SECURITY")
