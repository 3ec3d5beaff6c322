"""Real public data sets, where they are present; they never become part of the repository."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import text

from shared.auth import Role
from tests.support import Running, eventually


@pytest.fixture(scope="session")
def data_sets(repository: Path) -> Path:
    place = Path(os.environ.get("HUANYING_DATA", repository.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no public data sets at {place}: set HUANYING_DATA to where they are")
    return place


@dataclass(frozen=True)
class Loader:
    """Somebody at head office who loads files of one source."""

    service: Running
    client: httpx.AsyncClient
    source: str

    async def put(self, path: str, body: dict[str, Any]) -> None:
        answer = await self.client.put(f"/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text

    async def org(self, code: str, level: str = "subbranch") -> None:
        await self.put(f"orgs/{code}", {"level": level, "name": {"zh": code, "en": code}})

    async def product(self, code: str, category: str) -> None:
        name = {"zh": code, "en": code}
        await self.put(
            f"products/{code}", {"name": name, "category": category, "risk": "R1", "margin": "0.01"}
        )

    async def load(
        self, dataset: str, content: bytes, mapping: Mapping[str, Any], **params: str
    ) -> dict[str, int]:
        """Import and wait; its counts, nothing rejected."""
        columns = {"source": {"constant": self.source}, **mapping}
        params |= {"dataset": dataset, "mapping": orjson.dumps({"columns": columns}).decode()}
        answer = await self.client.post("/v1/imports", params=params, content=content)
        assert answer.status_code == 202, answer.text
        path = f"/v1/imports/{answer.json()['id']}"

        async def done() -> bool:
            return (await self.client.get(path)).json()["state"] not in {"queued", "running"}

        await eventually(done, seconds=600, what="the import")
        view = (await self.client.get(path)).json()
        errors = (await self.client.get(f"{path}/errors", params={"limit": 5})).json()["items"]
        assert (view["state"], errors) == ("succeeded", [])
        counts: dict[str, int] = view["counts"]
        return {name: count for name, count in counts.items() if count}

    async def sql(self, statement: str, **parameters: Any) -> Any:
        """The first row, straight from the database."""
        async with self.service.runtime.db.transaction() as session:
            return tuple(
                (await session.execute(text(statement), {"source": self.source, **parameters})).one()
            )


@pytest.fixture
async def loader(customer: Running, request: pytest.FixtureRequest) -> AsyncIterator[Loader]:
    source = request.module.SOURCE
    async with customer.client(Role.admin) as client:
        loader = Loader(customer, client, source)
        await loader.org("hq", "hq")
        yield loader
