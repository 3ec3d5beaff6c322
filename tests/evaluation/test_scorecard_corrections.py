"""A published scorecard that does not hold is superseded: by one that says why, and it stays readable."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from shared.auth import Role
from shared.db import AuditEntry, Outbox
from shared.ids import new_id
from tests.evaluation.test_scorecards import Desk, desk

__all__ = ["desk"]
REASON = "Branch b was given the customers of another month"


async def published(desk: Desk, **more: Any) -> dict[str, Any]:
    job = await desk.job("/v1/scorecards:publish", {"wanted": desk.wanted("staff"), **more})
    return await desk.bulletin(job)


async def test_a_correction_takes_the_place_of_the_former(desk: Desk) -> None:
    first = await published(desk)
    draft = await desk.bulletin(await desk.job("/v1/scorecards", desk.wanted("staff", minimum=24)))
    correction = {"scorecard_id": draft["id"], "supersedes": first["id"], "reason": f"  {REASON} "}
    second = await desk.bulletin(await desk.job("/v1/scorecards:publish", correction))
    assert (first["number"], first["supersedes"], first["superseded_by"]) == (1, None, None)
    assert (second["number"], second["supersedes"], second["reason"]) == (2, first["id"], REASON)
    assert second["subjects"][0]["activity"] == first["subjects"][0]["activity"] != []
    path, own = f"/v1/ranking-bulletins/{first['id']}", f"M-{desk.book.org[3:]}-b"
    former = (await desk.client.get(path)).json()
    assert (former["state"], former["superseded_by"]) == ("superseded", second["id"])
    assert former["superseded_at"] == second["published_at"]
    since = ("state", "superseded_by", "superseded_at")
    assert {k: v for k, v in former.items() if k not in since} == {
        k: v for k, v in first.items() if k not in since
    }
    async with desk.evaluation.client(Role.manager, org=f"{desk.book.org}.b", staff=own) as manager:
        assert (await manager.get(path)).json()["superseded_by"] == second["id"]
        records = (await manager.get(f"/v1/scorecards/{own}")).json()["records"]
        assert [record["head"]["id"] for record in records] == [second["id"]]
        params = {"org": desk.book.org, "state": "superseded"}
        listed = (await manager.get("/v1/scorecards", params=params)).json()["items"]
        assert [each["id"] for each in listed] == [first["id"]]
    await told_and_noted(desk, first["id"], second["id"])
    await frozen(desk, first["id"], second["id"])
    third = await published(desk, supersedes=second["id"], reason="Once more")
    assert (third["number"], third["supersedes"]) == (3, second["id"])


async def told_and_noted(desk: Desk, first: str, second: str) -> None:
    async with desk.evaluation.runtime.db.transaction() as session:
        subject = f"evaluation.scorecard_published.{second}"
        (row,) = await session.scalars(select(Outbox).where(Outbox.subject == subject))
        for said in (f'"supersedes":"{first}"', '"number":2', REASON):
            assert said.encode() in row.payload
        entry = (await session.scalars(select(AuditEntry).where(AuditEntry.object == second))).one()
        assert (entry.detail["supersedes"], entry.detail["number"]) == (first, 2)


async def frozen(desk: Desk, first: str, second: str) -> None:
    """What is superseded as much as what holds."""
    for scorecard, statement in (
        (second, "UPDATE scorecard SET state = 'superseded' WHERE id = :id"),
        (second, "UPDATE scorecard SET reason = 'none' WHERE id = :id"),
        (first, "UPDATE scorecard SET state = 'published', superseded_by = NULL WHERE id = :id"),
        (first, "DELETE FROM scorecard WHERE id = :id"),
        (first, "DELETE FROM scorecard_subject WHERE scorecard_id = :id"),
    ):
        with pytest.raises(DBAPIError, match="never changes"):
            async with desk.evaluation.runtime.db.transaction() as session:
                await session.execute(text(statement), {"id": scorecard})


async def test_only_what_holds_can_be_superseded(desk: Desk) -> None:
    first = await published(desk)
    wanted = {"wanted": desk.wanted("staff")}

    async def refused(body: dict[str, Any]) -> tuple[int, str, list[str]]:
        answer = await desk.client.post("/v1/scorecards:publish", json=body)
        problem = answer.json()
        return (
            answer.status_code,
            problem["type"],
            [error["pointer"] for error in problem.get("errors", [])],
        )

    assert (await refused(wanted))[:2] == (409, "/problems/already-published")
    elsewhere = {"wanted": desk.wanted(), "supersedes": first["id"], "reason": REASON}
    unknown = {**wanted, "supersedes": str(new_id()), "reason": REASON}
    for body in (elsewhere, unknown):
        assert (await refused(body))[0::2] == (422, ["/supersedes"])
    for body in (
        {**wanted, "supersedes": first["id"]},
        {**wanted, "reason": REASON},
        {**wanted, "supersedes": first["id"], "reason": " "},
    ):
        assert (await refused(body))[0] == 422
    await published(desk, supersedes=first["id"], reason=REASON)
    again = {**wanted, "supersedes": first["id"], "reason": REASON}
    assert (await refused(again))[:2] == (409, "/problems/already-superseded")
