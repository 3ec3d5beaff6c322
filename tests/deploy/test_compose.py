"""docker is not everywhere: what compose would do is checked against the code instead."""

import importlib
import re
import stat
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from deploy import compose_secrets, health
from deploy.embedded.databases import SERVICES as NAMES
from deploy.embedded.databases import app_of, owner_of
from services.console import readiness as console_readiness
from services.console.settings import ConsoleSettings
from shared.settings import Settings
from shared.system_routes import health as health_routes
from tests.deploy.compose import CADDYFILE, COMPOSE, OURS, ROOT, SERVICES, secret_paths, with_defaults


def settings_of(name: str) -> type[Settings]:
    if name == "console":
        return ConsoleSettings
    module = importlib.import_module(f"services.{name.rsplit('-', 1)[0]}.settings")
    return next(
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Settings) and kind is not Settings
    )


def environment_of(spec: dict[str, Any]) -> dict[str, str]:
    return {key: with_defaults(str(value)) for key, value in spec.get("environment", {}).items()}


def test_every_process_is_there() -> None:
    wanted = {"gateway", "console", "postgres", "nats-1", "nats-2", "nats-3"}
    wanted |= {f"{name}-{kind}" for name in NAMES for kind in ("api", "worker", "migrate")}
    assert set(SERVICES) == wanted


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_hardened(name: str) -> None:
    spec = SERVICES[name]
    uid = int(str(spec["user"]).split(":")[0])
    assert uid > 0
    assert spec["read_only"] is True
    assert spec["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in spec["security_opt"]
    assert "privileged" not in spec
    assert not any("docker.sock" in volume for volume in spec.get("volumes", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned_and_health_is_watched(name: str) -> None:
    spec = SERVICES[name]
    image = with_defaults(spec["image"])
    assert "build" in spec or re.search(r":\d+\.\d+", image), image
    if name.endswith("-migrate"):
        assert spec["healthcheck"] == {"disable": True}
    else:
        assert spec["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"HUANYING_{field.upper()}" for field in settings_of(name).model_fields}
    given = {key for key in environment_of(OURS[name]) if key.startswith("HUANYING_")}
    assert given - known == set()


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_secret_file_is_mounted_and_used(name: str) -> None:
    spec = OURS[name]
    used = {value for value in environment_of(spec).values() if value.startswith("/run/secrets/")}
    assert used == secret_paths(spec)


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_settings_accept_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environment_of(OURS[name]).items():
        monkeypatch.setenv(key, value)
    settings = settings_of(name)()
    if not name.endswith("-migrate"):
        assert (settings.host, settings.port) == ("0.0.0.0", 8000)  # noqa: S104  compared, not bound
    if name != "console":
        service = name.rsplit("-", 1)[0]
        assert settings.database_url == f"postgresql+psycopg://{app_of(service)}@postgres/{service}"


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_module_exists(name: str) -> None:
    command = OURS[name]["command"]
    if command[0] == "huanying":
        assert command[1:] == ["migrate", name.removesuffix("-migrate")]
        return
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(command[2]) is not None
    if command[2] == "shared.serve":
        assert command[3:] == [name.removesuffix("-api")]


def test_secrets_are_declared_used_and_written(tmp_path: Path) -> None:
    declared = {name: spec["file"] for name, spec in COMPOSE["secrets"].items()}
    used = {secret for spec in SERVICES.values() for secret in spec.get("secrets", [])}
    assert used == set(declared)
    written = compose_secrets.write_all(tmp_path / "secrets")
    assert {Path(file).name for file in declared.values()} == set(written)
    assert compose_secrets.write_all(tmp_path / "secrets") == []
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert all((tmp_path / "secrets" / name).stat().st_mode & 0o004 for name in written)


def test_volumes_and_networks_are_declared() -> None:
    mounts = [volume.split(":")[0] for spec in SERVICES.values() for volume in spec.get("volumes", [])]
    named = {mount for mount in mounts if not mount.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    assert all((ROOT / mount).exists() for mount in mounts if mount.startswith("."))
    assert {network for spec in SERVICES.values() for network in spec["networks"]} == set(COMPOSE["networks"])


def test_every_store_belongs_to_one_process() -> None:
    """DuckDB files are opened by one process: API and worker each have a volume of their own."""
    own = [
        volume
        for spec in OURS.values()
        for volume in spec.get("volumes", [])
        if volume.endswith(":/var/lib/huanying")
    ]
    assert len(own) == len(set(own)) == 1 + 2 * len(NAMES)


def test_only_the_gateway_is_reached_from_outside() -> None:
    assert [name for name, spec in SERVICES.items() if "ports" in spec] == ["gateway"]
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert all("back" in SERVICES[name]["networks"] for name in ("postgres", "nats-1", "nats-2", "nats-3"))


def test_health_paths_are_routes() -> None:
    served = {route.path for route in health_routes.routes if isinstance(route, Route)}
    console = {route.path for route in console_readiness.routes({})}
    for spec in OURS.values():
        test = spec["healthcheck"].get("test", [])
        if test:
            assert test[:4] == ["CMD", "python", "-m", health.__name__]
            assert test[4] in served & console
    assert "http://127.0.0.1:8222/healthz" in SERVICES["nats-1"]["healthcheck"]["test"]
    assert "http://127.0.0.1/healthz" in SERVICES["gateway"]["healthcheck"]["test"]
    assert re.search(r"http://:80 \{.*?handle /healthz \{", CADDYFILE, re.DOTALL)
    assert "/healthz" in console


def test_whatever_is_waited_for_can_become_healthy() -> None:
    for name, spec in SERVICES.items():
        for other, how in spec.get("depends_on", {}).items():
            one_shot = other.endswith("-migrate")
            wanted = "service_completed_successfully" if one_shot else "service_healthy"
            assert how["condition"] == wanted, (name, other)


def test_the_gateway_serves_the_paths_of_the_embedded_one() -> None:
    for service in NAMES:
        block = re.search(rf"handle_path /api/{service}/\* \{{(.*?)\n\t\}}", CADDYFILE, re.DOTALL)
        assert block is not None
        assert f"reverse_proxy {service}-api:8000" in block[1]
        assert f"header_up X-Forwarded-Prefix /api/{service}" in block[1]
        assert f"header_down Location ^/v1/ /api/{service}/v1/" in block[1]
    assert "reverse_proxy console:8000" in CADDYFILE
    assert CADDYFILE.count("{") == CADDYFILE.count("}")
    secrets = set(re.findall(r"/run/secrets/\w+", CADDYFILE))
    assert secrets == secret_paths(SERVICES["gateway"])


def test_the_image_is_built_as_compose_expects() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE))
    targets = {spec["build"]["target"] for spec in SERVICES.values() if "build" in spec}
    assert targets <= stages
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users == [SERVICES["nats-1"]["user"], SERVICES["customer-api"]["user"]]
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / part).exists() for part in source.split())


def test_the_image_holds_every_file_of_the_packages() -> None:
    """`pip install .` takes what pyproject.toml declares: a style sheet left out shows only in production."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = ["*.py", *project["tool"]["setuptools"]["package-data"]["*"]]
    folders = ["shared", "services", "deploy/embedded", "deploy/demo", "deploy/commands"]
    tracked = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = tracked.stdout.split()
    assert files
    assert [
        file for file in files if not any(fnmatch(Path(file).name, pattern) for pattern in patterns)
    ] == []


def test_database_script_names_the_roles_of_the_code() -> None:
    script = (ROOT / "deploy" / "postgres" / "databases.sh").read_text("utf-8")
    assert f"for service in {' '.join(NAMES)}; do" in script
    for service in NAMES:
        assert owner_of(service) == f"{service}_owner"
        assert app_of(service) == f"{service}_app"
    assert secret_paths(SERVICES["postgres"]) == {
        "/run/secrets/postgres_password",
        *(f"/run/secrets/{role(service)}_password" for service in NAMES for role in (owner_of, app_of)),
    }
