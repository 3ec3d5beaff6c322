"""Cancelled, killed and repeated trainings, and customers erased afterwards."""

import asyncio
import subprocess
import sys
import time
from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.segmentation.models import ModelCluster, ModelInput, ModelRun, ModelScore
from services.segmentation.usecases.training.forgetting import forget_in_runs
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from services.segmentation.usecases.training.kinds import KINDS
from services.segmentation.usecases.training.kmeans import KMEANS
from services.segmentation.usecases.training.running import run_model
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomersChanged
from shared.contracts.segmentation import ModelKind, RunState
from shared.ids import new_id
from shared.jobs import JobRun
from tests.segmentation.conftest import Bank
from tests.support import Running, eventually

ORG = "hq.faults"
_KILLED = """
import asyncio
import os
import signal
import sys
from uuid import UUID
import numpy as np
from services.segmentation.usecases.training import results
from services.segmentation.usecases.training.framework import Inputs, Trained
from shared.contracts.segmentation import DataWindow
from shared.db import Database
from shared.settings import Settings
from shared import clock

async def main():
    ordinals = np.arange(200_000, dtype=np.uint32)
    trained = Trained(ordinals, {}, {}, scores={"x": np.zeros(len(ordinals), np.float32)})
    inputs = Inputs({"features": {"ordinal": ordinals}})
    outcome = results.Outcome(trained, inputs, DataWindow(evaluated_at=clock.now(), stream_sequence=1, customers=1), None)
    insert, told = results._insert, []
    async def killing(session, table, rows):
        if len(told) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        told.append(table)
        await insert(session, table, rows)
        print("stored", flush=True)
    results._insert = killing
    async with Database(Settings()).transaction() as session:
        await results.store_result(session, UUID(sys.argv[1]), outcome)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def model(segmentation: Running) -> str:
    bank = Bank(segmentation)
    people = [bank.customer(birth_date=f"{1940 + number}-01-01", org=ORG) for number in range(40)]
    await segmentation.publish(CustomersChanged(customers=people))
    await bank.tell(customers=people[:1])
    body = {
        "key": "faults",
        "name": {"zh": "模型", "en": "Model"},
        "kind": "kmeans",
        "parameters": {"features": ["age"], "k": 2},
    }
    async with segmentation.client(Role.strategist) as client:
        answer = await client.post("/v1/models", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """K-means that goes on until it is cancelled; the shares it told."""
    told: list[float] = []

    def train(training: Training) -> Trained:
        while True:
            told.append(0.5)
            training.progress(0.5, "for ever")
            time.sleep(0.02)

    monkeypatch.setitem(KINDS, ModelKind.kmeans, Kind(KMEANS.parameters, KMEANS.check, train))
    return told


async def _kept(running: Running, run_id: str) -> list[int]:
    async with running.runtime.db.transaction() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table).where(table.run_id == UUID(run_id)))
            for table in (ModelCluster, ModelScore, ModelInput)
        ]
    return [count or 0 for count in counts]


async def test_a_training_is_seen_and_cancelled(
    segmentation: Running, model: str, endless: list[float]
) -> None:
    async with segmentation.client(Role.strategist) as client:
        started = await client.post(f"/v1/models/{model}/runs")
        path = f"/v1/model-runs/{started.json()['id']}"

        async def seen() -> bool:
            view = (await client.get(path)).json()
            return bool(view["state"] == "running" and view["step"] == "for ever")

        await eventually(seen, what="the training's step")
        assert (await client.get(path)).json()["progress"] == pytest.approx(0.45)
        cancelled = await client.post(f"{started.headers['Location']}:cancel")
        assert cancelled.status_code == 200, cancelled.text

        async def ended() -> bool:
            return bool((await client.get(path)).json()["state"] == "cancelled")

        await eventually(ended, what="the cancellation")
    count = len(endless)
    await asyncio.sleep(0.1)
    assert len(endless) == count
    assert await _kept(segmentation, started.json()["id"]) == [0, 0, 0]


async def _run_of(segmentation: Running, model: str, state: RunState) -> str:
    """As a worker leaves it that was killed: nobody works on it."""
    run_id = new_id()
    async with segmentation.runtime.db.transaction() as session:
        last = await session.scalar(select(func.max(ModelRun.number)).where(ModelRun.model_id == UUID(model)))
        parameters = {"features": ["age"], "k": 2, "seed": 0, "sample": 50_000}
        session.add(
            ModelRun(
                id=run_id,
                model_id=UUID(model),
                number=(last or 0) + 1,
                state=state,
                parameters=parameters,
                created_by="tester",
                created_at=clock.now(),
            )
        )
    return str(run_id)


def _job(segmentation: Running, run_id: str) -> JobRun:
    return JobRun(new_id(), {"run_id": run_id}, "tester", segmentation.runtime)


async def test_a_worker_killed_while_storing_leaves_nothing_and_is_repeated(
    segmentation: Running, model: str
) -> None:
    run_id = await _run_of(segmentation, model, RunState.running)
    killed = subprocess.run(  # noqa: ASYNC221 - our own script
        [sys.executable, "-c", _KILLED, run_id],
        env=segmentation.servers.environment("segmentation") | {"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9, killed.stderr
    assert killed.stdout.count("stored") == 2
    assert await _kept(segmentation, run_id) == [0, 0, 0]
    await run_model(_job(segmentation, run_id))
    clusters, scores, inputs = await _kept(segmentation, run_id)
    assert (clusters, scores > 0, inputs > 0) == (2, True, True)
    async with segmentation.runtime.db.transaction() as session:
        before = await session.get_one(ModelRun, UUID(run_id))
        finished, digest = before.finished_at, before.result_digest
    # Killed after the run was stored, before the job was: nothing is trained again.
    await run_model(_job(segmentation, run_id))
    async with segmentation.runtime.db.transaction() as session:
        after = await session.get_one(ModelRun, UUID(run_id))
        assert (after.finished_at, after.result_digest) == (finished, digest)


async def test_the_erased_are_taken_out_of_runs(segmentation: Running, model: str) -> None:
    run_id = await _run_of(segmentation, model, RunState.queued)
    await run_model(_job(segmentation, run_id))
    async with segmentation.client(Role.strategist) as client:
        path = f"/v1/model-runs/{run_id}"
        rows = (await client.get(f"{path}/scores", params={"limit": 1000})).json()["items"]
        assert (await client.get(f"{path}/record")).json()["input_kept"]
        batch = (await client.get(f"{path}/scores", headers={"accept": "application/x-ndjson"})).text
        ordinal = next(
            int(line.split('"ordinal":')[1].split(",")[0])
            for line in batch.splitlines()
            if rows[0]["customer_id"] in line
        )
        async with segmentation.runtime.db.transaction() as session:
            await forget_in_runs(session, [ordinal])
            await forget_in_runs(session, [ordinal])
        left = (await client.get(f"{path}/scores", params={"limit": 1000})).json()["items"]
        assert left == rows[1:]
        listed = (await client.get(f"{path}/members", params={"limit": 1000})).json()["items"]
        assert rows[0]["customer_id"] not in {each["customer_id"] for each in listed}
        points = (await client.get(f"{path}/projection")).json()["points"]
        assert len(points) == len(left)
        assert not (await client.get(f"{path}/record")).json()["input_kept"]
        assert (await client.post(f"{path}:reproduce")).status_code == 409
