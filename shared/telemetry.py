"""Prometheus metrics of every process. Traces are FastAPI's and the bus's, exported by OTEL_* settings."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "huanying_http_request_seconds",
    "Time to answer, by operation",
    ("service", "method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
DELIVERIES = Counter(
    "huanying_deliveries_total", "Messages worked on, by durable and outcome", ("durable", "outcome")
)
FEED_POSITION = Gauge("huanying_feed_position", "Stream sequence a store has applied", ("feed", "stream"))
WEBHOOK_ATTEMPTS = Histogram(
    "huanying_webhook_attempt_seconds",
    "Time a webhook's endpoint took, by outcome: succeeded, failed (tried again), exhausted, gone",
    ("outcome",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
SEGMENT_DIFFERENCES = Gauge(
    "huanying_segment_differences",
    "Members that the last audit of incremental evaluation found missing or extra; 0 is right",
)
OUTBOX_PUBLISHED = Counter("huanying_outbox_published_total", "Events the broker has taken")
