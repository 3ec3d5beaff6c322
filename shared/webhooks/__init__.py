"""Webhooks: the events of a service, pushed to HTTPS endpoints with Standard Webhooks signatures."""
