"""Rules of the house that no linter knows."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import create_engine, make_url, text

from services.campaign.api.channels import signed_by_channel
from shared.documents import documents
from shared.settings import SERVICES
from shared.web import TransactionRoute, current_principal
from tests.support import Servers

OPEN = {"/healthz", "/readyz", "/metrics", "/docs", "/docs/oauth2-redirect", "/redoc"}
"""Probes, metrics and documentation: nothing about a customer."""

SIGNED = {"/v1/channels/{key}/receipts": signed_by_channel}
"""Called by systems of others, which know a secret of theirs instead of a principal of ours."""


def _sources(repository: Path) -> Iterator[Path]:
    for folder in ("shared", "services", "deploy", "benchmarks"):
        yield from (repository / folder).rglob("*.py")


def test_one_place_commits(repository: Path) -> None:
    offenders = [
        f"{file.relative_to(repository)}:{node.lineno}"
        for folder in ("shared", "services")
        for file in (repository / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
        and file != repository / "shared" / "db.py"
        and "store" not in file.parts  # a DuckDB store ends its own transactions, with its watermark
    ]
    assert offenders == []


def test_business_time_comes_from_the_clock(repository: Path) -> None:
    offenders = [
        f"{file.relative_to(repository)}:{node.lineno}"
        for file in (repository / "services").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func) in {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
    ]
    assert offenders == []


def test_files_and_functions_stay_small(repository: Path) -> None:
    offenders = []
    for file in _sources(repository):
        source = file.read_text("utf-8")
        if "/versions/" in str(file):
            continue
        if source.count("\n") > 400:
            offenders.append(f"{file.relative_to(repository)}: {source.count(chr(10))} lines")
        offenders += [
            f"{file.relative_to(repository)}:{node.lineno} {node.name}"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and (node.end_lineno or 0) - node.lineno >= 60
        ]
    assert offenders == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_have_one_shape(repository: Path, service: str) -> None:
    root = repository / "services" / service
    expected = [
        "app.py",
        "worker.py",
        "settings.py",
        "consumers.py",
        "jobs.py",
        "api",
        "usecases",
        "queries",
        "domain",
    ]
    missing = [name for name in [*expected, "migrations/env.py"] if not (root / name).exists()]
    assert missing == []
    assert (root / "models.py").exists() or (root / "models").is_dir()


def _application(service: str) -> FastAPI:
    app: FastAPI = importlib.import_module(f"services.{service}.app").app
    return app


def _routes(app: FastAPI) -> list[APIRoute]:
    found: list[APIRoute] = []

    def collect(routes: list[object]) -> None:
        for route in routes:
            if isinstance(route, APIRoute):
                found.append(route)
            elif hasattr(route, "original_router"):
                collect(route.original_router.routes)

    collect(list(app.routes))
    return found


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for child in dependant.dependencies:
        yield from _calls(child)


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_knows_its_caller(service: str) -> None:
    routes = _routes(_application(service))
    assert len(routes) > 10
    unguarded = [
        f"{sorted(route.methods)} {route.path}"
        for route in routes
        if route.path not in OPEN
        and SIGNED.get(route.path, current_principal) not in set(_calls(route.dependant))
    ]
    assert unguarded == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_is_one_transaction_and_documented(service: str) -> None:
    for route in _routes(_application(service)):
        if route.path in OPEN:
            continue
        assert isinstance(route, TransactionRoute), route.path
        assert (route.endpoint.__doc__ or "").strip(), f"{route.path} has no description"


@pytest.mark.parametrize("service", SERVICES)
def test_operation_ids_are_unique(service: str) -> None:
    names = [route.name for route in _routes(_application(service))]
    assert len(names) == len(set(names))


def test_the_committed_documents_match_the_code(repository: Path) -> None:
    stale = [
        name
        for name, content in documents().items()
        if not (repository / "docs" / "api" / name).exists()
        or (repository / "docs" / "api" / name).read_bytes() != content
    ]
    assert stale == [], "run `make format` and read the difference"


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_make_what_the_models_say(migrated: Servers, service: str) -> None:
    """In a process of its own: all models share one metadata, each service has its own tables."""
    import subprocess
    import sys

    url = migrated.postgres.url(service, f"{service}_owner")
    program = (
        "import sys; from sqlalchemy import create_engine; from alembic import command;"
        "from shared.migrate import configuration;"
        "engine = create_engine(sys.argv[2]); connection = engine.connect();"
        "command.check(configuration(sys.argv[1], connection))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, service, url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_row_level_security_is_on_where_customers_are(migrated: Servers, service: str) -> None:
    """Every table with an org path or a customer id has a policy; the application role bypasses none."""
    engine = create_engine(make_url(migrated.postgres.url(service, "postgres")))
    with engine.connect() as connection:
        open_tables = connection.execute(
            text("""
                SELECT DISTINCT c.table_name FROM information_schema.columns c
                JOIN pg_class t ON t.relname = c.table_name AND t.relkind IN ('r', 'p')
                WHERE c.table_schema = 'public' AND c.column_name IN ('org_path', 'customer_id')
                  AND NOT t.relrowsecurity
            """)
        ).scalars()
        bypass = connection.execute(
            text("SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = :role"),
            {"role": f"{service}_app"},
        ).scalar_one()
        assert sorted(open_tables) == []
        assert bypass is False
    engine.dispose()
