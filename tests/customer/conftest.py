"""A small bank with two branches, and callers of every kind."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.auth import Role
from tests.support import Running, Servers

if TYPE_CHECKING:
    from tests.customer.target import Target

BATCH = "application/cloudevents-batch+json"
_numbers = itertools.count(int(time.time()) % 100_000 * 1000)

ORGS = [
    ("hq", "hq"),
    ("hq.sh", "tier1"),
    ("hq.sh.pudong", "subbranch"),
    ("hq.bj", "tier1"),
    ("hq.bj.haidian", "subbranch"),
]
STAFF = [
    ("S1", "manager", "hq.sh.pudong"),
    ("S2", "manager", "hq.sh.pudong"),
    ("S3", "manager", "hq.bj.haidian"),
    ("S4", "branch_head", "hq.sh"),
]
PRODUCTS = [
    ("demand-deposit", "demand", "R1"),
    ("wealth-steady", "wealth", "R2"),
    ("home-loan", "loan", "R1"),
]


@dataclass(frozen=True)
class Bank:
    """The running service and who calls it."""

    service: Running
    admin: httpx.AsyncClient
    core: httpx.AsyncClient
    """System key of source `core`."""
    crm: httpx.AsyncClient
    manager_sh: httpx.AsyncClient
    manager_bj: httpx.AsyncClient
    head_sh: httpx.AsyncClient
    strategist: httpx.AsyncClient

    async def customer(self, **changes: Any) -> dict[str, Any]:
        """A new person of Pudong, with an identity in `core`."""
        body = {**person(), **changes}
        answer = await self.admin.post("/v1/customers", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def push(self, *events: dict[str, Any], verbose: bool = False) -> httpx.Response:
        return await self.core.post(
            "/v1/events", json=list(events), params={"verbose": verbose}, headers={"content-type": BATCH}
        )

    async def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Straight from the database, every organisation."""
        from sqlalchemy import text

        async with self.service.runtime.db.transaction() as session:
            return list((await session.execute(text(statement), parameters)).all())

    async def sql_write(self, statement: str, **parameters: Any) -> None:
        from sqlalchemy import text

        async with self.service.runtime.db.transaction() as session:
            await session.execute(text(statement), parameters)


@pytest.fixture(scope="session")
async def bank(customer: Running) -> AsyncIterator[Bank]:
    servers = customer.servers
    bank = Bank(
        service=customer,
        admin=customer.client(Role.admin),
        core=customer.client(key=servers.api_key("core")),
        crm=customer.client(key=servers.api_key("crm")),
        manager_sh=customer.client(Role.manager, org="hq.sh.pudong", staff="S1"),
        manager_bj=customer.client(Role.manager, org="hq.bj.haidian", staff="S3"),
        head_sh=customer.client(Role.branch_head, org="hq.sh", staff="S4"),
        strategist=customer.client(Role.strategist),
    )
    for code, level in ORGS:
        await put(bank.admin, f"/v1/orgs/{code}", {"level": level, "name": {"zh": code, "en": code}})
    for code, role, org in STAFF:
        await put(bank.admin, f"/v1/staff/{code}", {"name": f"员工{code}", "role": role, "org": org})
    for code, category, risk in PRODUCTS:
        body = {"name": {"zh": code, "en": code}, "category": category, "risk": risk, "margin": "0.0125"}
        await put(bank.admin, f"/v1/products/{code}", body)
    yield bank
    for client in (
        bank.admin,
        bank.core,
        bank.crm,
        bank.manager_sh,
        bank.manager_bj,
        bank.head_sh,
        bank.strategist,
    ):
        await client.aclose()


@pytest.fixture(scope="session")
def target(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Target]":
    """For tests that throw things: it is theirs to spoil."""
    from tests.customer.target import running_target

    with running_target(servers, tmp_path_factory.mktemp("target")) as running:
        yield running


async def put(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await client.put(path, json=body)
    assert answer.status_code == 200, answer.text


def number() -> int:
    """Never the same twice in a test session."""
    return next(_numbers)


def person(**changes: Any) -> dict[str, Any]:
    n = number()
    return {
        "kind": "person",
        "name": "张三丰",
        "id_number": f"31010119800101{n % 10000:04d}",
        "phone": f"138{n % 100_000_000:08d}",
        "email": "zhang@example.com",
        "address": "上海市浦东新区世纪大道1号",
        "identities": [{"source": "core", "source_id": f"c{n}"}],
        "org": "hq.sh.pudong",
        "primary_manager": "S1",
        "backup_manager": "S2",
        "gender": "M",
        "birth_date": "1980-01-01",
        "consents": {"call": True, "sms": False},
        **changes,
    }


def event(subject: str, type_: str = "transaction.posted", /, **changes: Any) -> dict[str, Any]:
    data = {
        "account": "A-1",
        "product": "demand-deposit",
        "amount": "1200.00",
        "currency": "CNY",
        "direction": "in",
        "channel": "mobile",
    }
    return {
        "specversion": "1.0",
        "id": f"e{number()}",
        "source": "core",
        "type": type_,
        "subject": subject,
        "time": "2026-11-01T09:31:07+08:00",
        "data": data,
        **changes,
    }


def source_id(customer: dict[str, Any]) -> str:
    return customer["identities"][0]["source_id"]
