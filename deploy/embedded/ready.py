"""Asking a process whether it can serve."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    ready: bool
    words: str
    """What the process itself says is missing; empty when ready."""


def ask(url: str, path: str = "/readyz", timeout: float = 5.0) -> Answer:
    """Straight to the process: a proxy configured in the environment has no business on the loopback."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(ready=False, words=f"does not answer ({str(error) or type(error).__name__})")
    finally:
        connection.close()
    if response.status == 200:
        return Answer(ready=True, words="")
    return Answer(ready=False, words=f"{response.status}: {_words(body)}")


def _words(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:300]
    if not isinstance(answer, dict):
        return json.dumps(answer, ensure_ascii=False)[:500]
    return _failing(answer.get("checks")) or str(answer.get("detail") or "not ready")


def _failing(checks: object) -> str:
    """A service lists its checks, the console maps each service to its state."""
    if isinstance(checks, dict):
        return "; ".join(f"{name}: {state}" for name, state in checks.items() if state != "ok")
    if isinstance(checks, list):
        return "; ".join(f"{check['name']}: {check['detail']}" for check in checks if not check["ok"])
    return ""
