"""docker-compose.yml as data."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: spec for name, spec in SERVICES.items() if spec["image"].startswith("huanying:")}
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")


def with_defaults(text: str) -> str:
    """`${NAME:-default}` as compose fills it in with an empty environment."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def secret_paths(spec: dict[str, Any]) -> set[str]:
    return {f"/run/secrets/{name}" for name in spec.get("secrets", [])}
