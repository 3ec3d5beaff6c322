"""Jobs are deferred with the transaction, show progress, fail as problems and can be cancelled."""

import pytest
from httpx import AsyncClient

from shared.auth import Role
from shared.ids import new_id
from tests.shared.conftest import heavy, interruptions
from tests.support import Running, eventually


async def _ended(client: AsyncClient, location: str) -> dict[str, object]:
    job: dict[str, object] = {}

    async def check() -> bool:
        nonlocal job
        job = (await client.get(location)).json()
        return job["state"] in {"succeeded", "failed", "cancelled"}

    await eventually(check, what=f"end of {location}")
    return job


async def _start(client: AsyncClient, title: str) -> str:
    answer = await client.post("/v1/notes:count", json={"org": "hq", "title": title})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


async def test_a_job_runs_and_tells(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        job = await _ended(client, await _start(client, "ok"))
    assert (job["state"], job["progress"], job["step"], job["counts"]) == (
        "succeeded",
        1.0,
        "step 3",
        {"done": 3},
    )


@pytest.mark.parametrize(
    ("title", "type_"), [("fail", "/problems/not-found"), ("crash", "/problems/internal")]
)
async def test_a_failure_is_a_problem(probe: Running, title: str, type_: str) -> None:
    async with probe.client(Role.strategist) as client:
        job = await _ended(client, await _start(client, title))
    assert job["state"] == "failed"
    assert job["problem"]["type"] == type_  # type: ignore[index]


@pytest.mark.parametrize(("times", "state"), [(2, "succeeded"), (5, "failed")])
async def test_a_job_that_loses_its_database_begins_again(probe: Running, times: int, state: str) -> None:
    """Not for ever: work that brings the database down itself ends."""
    interruptions.extend([f"outage-{times}"] * times)
    async with probe.client(Role.strategist) as client:
        job = await _ended(client, await _start(client, f"outage-{times}"))
    assert job["state"] == state
    if state == "failed":
        assert job["problem"]["type"] == "/problems/unavailable"  # type: ignore[index]


async def test_a_job_whose_statement_takes_too_long_has_failed(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        job = await _ended(client, await _start(client, "heavy"))
    assert (job["state"], len(heavy)) == ("failed", 1)
    assert "A statement took longer than it is given" in job["problem"]["detail"]  # type: ignore[index]


async def test_cancel_stops_at_the_next_step(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        location = await _start(client, "slow")
        assert (await client.post(f"{location}:cancel")).status_code == 200
        job = await _ended(client, location)
        again = await client.post(f"{location}:cancel")
    assert job["state"] == "cancelled"
    assert again.status_code == 409


async def test_progress_streams_until_the_end(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        location = await _start(client, "ok")
        answer = await client.get(f"{location}/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"state":"succeeded"' in answer.text


async def test_a_job_of_another_branch_is_not_there(probe: Running) -> None:
    async with probe.client(Role.strategist, org="hq.east") as client:
        location = await _start(client, "ok")
    async with probe.client(Role.strategist, org="hq.west") as client:
        assert (await client.get(location)).status_code == 404


async def test_the_stream_of_an_unknown_job_is_not_found(probe: Running) -> None:
    async with probe.client(Role.strategist) as client:
        answer = await client.get(f"/v1/jobs/{new_id()}/stream")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
