"""Row-level security of the webhook tables, the same in every service. Called from alembic revisions only."""

from alembic import op

from shared.ddl import enable_org_rls, enable_parent_rls


def protect_webhooks() -> None:
    """After `webhook_endpoint` and `webhook_delivery` were created."""
    enable_org_rls("webhook_endpoint")
    enable_parent_rls("webhook_delivery", "endpoint_id", "webhook_endpoint")


def drop_webhooks() -> None:
    for table in ("webhook_delivery", "webhook_message", "webhook_endpoint"):
        op.drop_table(table)
