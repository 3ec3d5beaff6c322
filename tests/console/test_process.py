"""The console as its own process, with none of the services behind it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.console.main import SERVICES
from shared.auth import LocalIssuer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(directory: Path, **more: str) -> tuple[subprocess.Popen[bytes], str]:
    port, nobody = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUANYING_")},
        **{f"HUANYING_{name.upper()}_URL": f"http://127.0.0.1:{nobody}" for name in SERVICES},
        "HUANYING_PORT": str(port),
        "HUANYING_DATA_DIR": str(directory),
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.console.main"], env=environment, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{address}/healthz", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return process, address
    process.kill()
    pytest.fail("the console did not start")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("console")
    LocalIssuer.create(directory / "issuer.pem", directory / "jwks.json")
    process, address = start(
        directory,
        HUANYING_ISSUER_KEY_FILE=str(directory / "issuer.pem"),
        HUANYING_JWKS_FILE=str(directory / "jwks.json"),
    )
    with httpx.Client(base_url=address, trust_env=False) as client:
        yield client
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in {0, -signal.SIGTERM}


def test_readiness_names_every_service_that_does_not_answer(console: httpx.Client) -> None:
    answer = console.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"].keys() == set(SERVICES)
    assert all("does not answer" in state for state in answer.json()["checks"].values())


def test_metrics_are_exposed(console: httpx.Client) -> None:
    assert "huanying_gateway_requests_total" in console.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    ["/", "/campaigns", "/campaigns/x", "/segments", "/segments/x", "/customers", "/customers/x", "/tasks"],
)
def test_every_page_asks_for_sign_in(console: httpx.Client, path: str) -> None:
    answer = console.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={path}"


def test_sign_in_page_loads_nothing_from_elsewhere(console: httpx.Client) -> None:
    answer = console.get("/sign-in")
    assert answer.status_code == 200
    assert 'lang="zh-CN"' in answer.text
    loaded = re.findall(r"""(?:src|href)=["'](https?://[^"']+)|url\(["']?(https?://[^)"']+)""", answer.text)
    assert loaded == []
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_style_sheet_is_served_and_kept_by_browsers(console: httpx.Client) -> None:
    link = re.search(r'href="(/static/theme\.css\?v=[0-9a-f]+)"', console.get("/sign-in").text)
    assert link is not None
    answer = console.get(link.group(1))
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["cache-control"]


def test_gateway_answers_beside_the_pages(console: httpx.Client) -> None:
    answer = console.get("/api/customer/v1/customers")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_session_files_are_the_owners_alone(console: httpx.Client, tmp_path: Path) -> None:
    process, _ = start(tmp_path)
    process.terminate()
    process.wait(20)
    assert (tmp_path / "console").stat().st_mode & 0o077 == 0
    assert (tmp_path / "console" / "session.secret").stat().st_mode & 0o077 == 0
