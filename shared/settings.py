"""Configuration by environment (`HUANYING_…`); secrets come as files, never as values."""

from functools import cached_property
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url

SERVICES = ("customer", "segmentation", "campaign", "evaluation")


class Settings(BaseSettings):
    """What every process of the system is told. A service adds its own in `services/<name>/settings.py`."""

    model_config = SettingsConfigDict(env_prefix="HUANYING_", extra="ignore", frozen=True)

    # Where it listens.
    host: str = "127.0.0.1"
    port: int = 8000
    inline_worker: bool = False
    """Run the worker (relay, consumers, jobs) inside the API process: the embedded stack does."""

    # What it depends on.
    database_url: str = "postgresql+psycopg:///postgres"
    """As the service's own role, which row-level security binds."""
    database_password_file: Path | None = None
    database_pool_size: int = 10
    database_pool_seconds: float = 10.0
    """How long a request waits for a connection before it is told to come again."""
    statement_timeout_ms: int = 30_000
    migration_url: str | None = None
    """As the owner of the schema; used by `huanying migrate` alone."""
    migration_password_file: Path | None = None
    nats_url: str = "nats://127.0.0.1:4222"
    """Several nodes of a cluster separated by commas."""
    nats_user: str | None = None
    nats_password_file: Path | None = None
    nats_replicas: int = 1
    nats_stream_max_bytes: int = 4 * 1024**3

    # Who may call.
    jwks_file: Path | None = None
    jwks_url: str | None = None
    jwt_issuer: str = "huanying"
    jwt_audience: str = "huanying"
    issuer_key_file: Path | None = None
    """Private key of the local issuer: only where the embedded stack signs demo users in."""
    api_keys_file: Path | None = None
    service_key_file: Path | None = None
    """The API key this service presents to the other services."""

    # Webhooks.
    webhook_key_file: Path | None = None
    """32 bytes in hex that seal the signing secrets of webhooks; without it none can be created."""
    webhook_allow: str = ""
    """Hosts and networks inside the bank that webhooks may reach, also without TLS, separated by commas."""
    webhook_ca_file: Path | None = None
    """Certificates of the bank's own authority, trusted besides the public ones."""
    webhook_keep_days: int = 14
    """How long events and deliveries are kept for attempts and replays."""

    # Where the others are.
    customer_url: str = "http://127.0.0.1:8001"
    segmentation_url: str = "http://127.0.0.1:8002"
    campaign_url: str = "http://127.0.0.1:8003"
    evaluation_url: str = "http://127.0.0.1:8004"

    # Limits and places.
    data_dir: Path = Path(".huanying")
    max_body_bytes: int = 16 * 1024**2
    min_free_disk_bytes: int = 512 * 1024**2
    min_free_disk_share: float = 0.05
    """Nothing more is taken when less than the smaller of the two is free below `data_dir`."""
    max_outbox_backlog: int = 100_000
    """Unpublished events beyond which nothing more is taken: the broker must be there first."""
    log_level: str = "INFO"
    clock_file: Path | None = None
    """Shifts business time in test environments; see shared/clock.py."""
    zone: str = "Asia/Shanghai"

    @cached_property
    def database(self) -> URL:
        return _with_password(self.database_url, self.database_password_file)

    @cached_property
    def migration_database(self) -> URL:
        return _with_password(self.migration_url or self.database_url, self.migration_password_file)

    def secret(self, file: Path | None) -> str | None:
        return file.read_text("utf-8").strip() if file else None

    def url_of(self, service: str) -> str:
        return {
            "customer": self.customer_url,
            "segmentation": self.segmentation_url,
            "campaign": self.campaign_url,
            "evaluation": self.evaluation_url,
        }[service]


def _with_password(url: str, file: Path | None) -> URL:
    parsed = make_url(url)
    return parsed.set(password=file.read_text("utf-8").strip()) if file else parsed
