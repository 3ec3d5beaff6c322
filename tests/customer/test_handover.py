"""Handing over what a manager looks after: planned, checked, executed, undone."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.customer.usecases import handover_runs
from services.customer.usecases.handover_runs import run_handover, start_due
from shared import clock
from shared.contracts.events import HandoverCompleted
from shared.ids import new_id
from shared.jobs import JobRun
from tests.customer.conftest import Bank, number, put, source_id
from tests.support import eventually

EVERYBODY = {"strategy": "backup_takes_over"}


@dataclass(frozen=True)
class Branch:
    """A branch of its own with managers A to D (D is not active) and one manager next door."""

    bank: Bank
    org: str
    staff: dict[str, str]

    def code(self, letter: str) -> str:
        return self.staff[letter]

    async def customer(self, primary: str, backup: str | None, **more: Any) -> dict[str, Any]:
        return await self.bank.customer(
            org=self.org,
            primary_manager=self.code(primary),
            backup_manager=self.code(backup) if backup else None,
            **more,
        )

    async def owners(self, customer: dict[str, Any]) -> tuple[str, str | None, str | None]:
        found = (await self.bank.admin.get(f"/v1/customers/{customer['id']}/ownership")).json()
        letters = {code: letter for letter, code in self.staff.items()}
        return (
            found["org"].rpartition(".")[2],
            letters.get(found["primary_manager"]),
            letters.get(found["backup_manager"]),
        )

    async def order(self, letter: str, **body: Any) -> Any:
        request = {"reason": "leave", "plan": EVERYBODY, **body}
        return await self.bank.admin.post(f"/v1/staff/{self.code(letter)}:handover", json=request)

    async def ended(self, handover: dict[str, Any], state: str) -> dict[str, Any]:
        path = f"/v1/handovers/{handover['id']}"

        async def reached() -> bool:
            return (await self.bank.admin.get(path)).json()["state"] == state

        await eventually(reached, what=f"the handover being {state}")
        found: dict[str, Any] = (await self.bank.admin.get(path, params={"limit": 1000})).json()
        return found


@pytest.fixture
async def branch(bank: Bank) -> Branch:
    n = number()
    city = f"hq.h{n}"
    for org, level in ((city, "tier1"), (f"{city}.main", "subbranch"), (f"{city}.other", "subbranch")):
        await put(bank.admin, f"/v1/orgs/{org}", {"level": level, "name": {"zh": org, "en": org}})
    staff = {letter: f"H{n}{letter}" for letter in "ABCDE"}
    for letter, code in staff.items():
        org = f"{city}.other" if letter == "E" else f"{city}.main"
        body = {"name": f"经理{letter}", "role": "manager", "org": org, "active": letter != "D"}
        await put(bank.admin, f"/v1/staff/{code}", body)
    return Branch(bank, f"{city}.main", staff)


async def test_the_backup_takes_over_and_it_can_be_undone(branch: Branch) -> None:
    mine = [await branch.customer("A", "B") for _ in range(4)]
    alone = await branch.customer("A", None)
    second = await branch.customer("B", "A")
    dry = await branch.order("A", dry_run=True)
    assert dry.status_code == 200
    outlook = dry.json()["outlook"]
    assert dry.json()["handover"] is None
    assert (outlook["customers"], outlook["as_primary"], outlook["as_backup"]) == (6, 5, 1)
    assert await branch.owners(mine[0]) == ("main", "A", "B")
    ordered = await branch.order("A")
    assert ordered.status_code == 202, ordered.text
    done = await branch.ended(ordered.json()["handover"], "done")
    assert (done["done"], done["left"], done["progress"]) == (6, 0, 1.0)
    for customer in mine:
        assert await branch.owners(customer) == ("main", "B", "C")
    assert (await branch.owners(second))[1:] == ("B", "C")
    assert set((await branch.owners(alone))[1:]) == {"B", "C"}
    load = {one["staff"]: one["load_after"] for one in outlook["receivers"]}
    portfolio = (await branch.bank.admin.get(f"/v1/staff/{branch.code('C')}/portfolio")).json()
    assert load[branch.code("C")] == portfolio["as_primary"] + portfolio["as_backup"]
    undone = await branch.bank.admin.post(f"/v1/handovers/{done['id']}:undo")
    assert undone.status_code == 202, undone.text
    await branch.ended(done, "undone")
    for customer in mine:
        assert await branch.owners(customer) == ("main", "A", "B")
    assert await branch.owners(alone) == ("main", "A", None)
    assert await branch.owners(second) == ("main", "B", "A")
    assert (await branch.bank.admin.post(f"/v1/handovers/{done['id']}:undo")).status_code == 409


async def test_what_others_changed_since_is_left_alone(branch: Branch) -> None:
    kept, changed = await branch.customer("A", "B"), await branch.customer("A", "B")
    done = await branch.ended((await branch.order("A")).json()["handover"], "done")
    path = f"/v1/customers/{changed['id']}/ownership"
    etag = (await branch.bank.admin.get(path)).headers["ETag"]
    body = {"org": branch.org, "primary_manager": branch.code("C"), "backup_manager": branch.code("B")}
    assert (await branch.bank.admin.put(path, json=body, headers={"If-Match": etag})).status_code == 200
    await branch.bank.admin.post(f"/v1/handovers/{done['id']}:undo")
    undone = await branch.ended(done, "undone")
    assert await branch.owners(kept) == ("main", "A", "B")
    assert await branch.owners(changed) == ("main", "C", "B")
    left = await branch.bank.admin.get(f"/v1/handovers/{done['id']}", params={"item_state": "left"})
    assert [item["customer_id"] for item in left.json()["items"]["items"]] == [changed["id"]]
    assert undone["left"] == 1
    rows = await branch.bank.sql(
        "SELECT payload FROM outbox WHERE subject = :subject ORDER BY seq",
        subject=f"customer.handover_completed.{branch.code('A')}",
    )
    first, last = [HandoverCompleted.model_validate(orjson.loads(row[0])["data"]) for row in rows]
    assert (first.customers, first.receivers) == (2, {branch.code("B"): 2, branch.code("C"): 2})
    assert (last.undone, last.customers) == (True, 1)
    causes = await branch.bank.sql(
        "SELECT cause, reason FROM ownership_change WHERE customer_id = CAST(:id AS uuid) ORDER BY seq",
        id=kept["id"],
    )
    assert causes == [("handover", "leave"), ("handover_undone", "leave")]


async def test_a_plan_that_breaks_continuity_is_refused(branch: Branch) -> None:
    await branch.customer("A", "B")
    receivers = {"strategy": "receivers", "receivers": [{"staff": branch.code("E")}]}
    refused = await branch.order("A", plan=receivers)
    assert refused.status_code == 409
    assert "keeps" in refused.text or "no primary manager" in refused.text
    dry = (await branch.order("A", plan=receivers, dry_run=True)).json()["outlook"]
    assert dry["violations"] == len(dry["first_violations"]) == 1
    # Nobody is left to be manager B when C is gone too.
    await branch.customer("C", "B")
    path = f"/v1/staff/{branch.code('C')}"
    body = {"name": "经理C", "role": "manager", "org": branch.org, "active": False}
    stay = await branch.bank.admin.put(path, json=body, headers={"If-Match": '"v1"'})
    assert (stay.status_code, stay.json()["type"]) == (409, "/problems/handover-needed")
    assert stay.json()["errors"][0]["pointer"] == "/active"
    ended = await branch.ended((await branch.order("C")).json()["handover"], "done")
    assert ended["done"] == 1
    assert (await branch.bank.admin.put(path, json=body, headers={"If-Match": '"v1"'})).status_code == 200
    none_left = await branch.order("A")
    assert none_left.status_code == 409
    assert any("no backup manager" in error["detail"] for error in none_left.json()["errors"])


async def test_what_a_plan_must_be(branch: Branch) -> None:
    customer, foreign = await branch.customer("A", "B"), await branch.customer("B", "C")
    bad: dict[str, dict[str, Any]] = {
        "/plan/receivers/0/staff": {"strategy": "receivers", "receivers": [{"staff": branch.code("D")}]},
        "/plan/customers/0/customer_id": {
            "strategy": "explicit",
            "customers": [{"customer_id": foreign["id"], "primary_manager": branch.code("C")}],
        },
        "/plan": {"strategy": "explicit"},
        "/plan/receivers": {"strategy": "receivers", "receivers": [{"staff": "x", "weight": "0"}]},
    }
    for pointer, wanted in bad.items():
        answer = await branch.order("A", plan=wanted)
        assert answer.status_code == 422, wanted
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), answer.text
    past = (clock.today() - timedelta(days=1)).isoformat()
    assert (await branch.order("A", effective_on=past)).status_code == 422
    assert (await branch.order("A", effective_on="9999-12-31")).status_code == 422
    assert (await branch.order("D")).status_code == 409
    nobody = await branch.bank.admin.post(
        "/v1/staff/nobody:handover", json={"reason": "leave", "plan": EVERYBODY}
    )
    assert nobody.status_code == 404
    other = await branch.bank.manager_sh.post(
        f"/v1/staff/{branch.code('A')}:handover", json={"reason": "leave", "plan": EVERYBODY}
    )
    assert other.status_code == 403
    explicit = {
        "strategy": "explicit",
        "customers": [{"customer_id": customer["id"], "primary_manager": branch.code("C")}],
    }
    await branch.ended((await branch.order("A", plan=explicit)).json()["handover"], "done")
    assert await branch.owners(customer) == ("main", "C", "B")


async def test_receivers_take_by_filter_and_weight(branch: Branch) -> None:
    rich, poor = await branch.customer("A", "B"), await branch.customer("A", "B")
    holding = {
        "source": "core",
        "source_id": source_id(rich),
        "account": f"A{number()}",
        "product": "wealth-steady",
        "balance": "1000000.00",
        "as_of": "2026-11-01",
    }
    assert (await branch.bank.core.post("/v1/holdings", json={"items": [holding]})).status_code == 200
    receivers = [
        {"staff": branch.code("E"), "filter": {"categories": ["wealth"], "min_assets": "500000"}},
        {"staff": branch.code("C")},
    ]
    wanted = {"strategy": "receivers", "receivers": receivers}
    ordered = await branch.order("A", plan=wanted, keep_in_branch=False, reason="transfer")
    # E's branch has no second manager: the customer would have no manager B there.
    assert ordered.status_code == 409
    n = number()
    helper = {"name": "经理F", "role": "manager", "org": branch.org.replace(".main", ".other")}
    await put(branch.bank.admin, f"/v1/staff/F{n}", helper)
    ordered = await branch.order("A", plan=wanted, keep_in_branch=False, reason="transfer")
    assert ordered.json()["outlook"]["changing_branch"] == 1, ordered.text
    done = await branch.ended(ordered.json()["handover"], "done")
    assert (await branch.owners(rich))[:2] == ("other", "E")
    assert await branch.owners(poor) == ("main", "C", "B")
    await branch.bank.admin.post(f"/v1/handovers/{done['id']}:undo")
    await branch.ended(done, "undone")
    assert await branch.owners(rich) == ("main", "A", "B")


async def test_a_handover_waits_for_its_day(branch: Branch) -> None:
    customer = await branch.customer("A", "B")
    tomorrow = clock.today() + timedelta(days=1)
    ordered = (await branch.order("A", effective_on=tomorrow.isoformat())).json()["handover"]
    assert (ordered["state"], ordered["job_id"]) == ("planned", None)
    assert (await branch.order("A")).status_code == 409
    cancelled = await branch.bank.admin.post(f"/v1/handovers/{ordered['id']}:cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert (await branch.bank.admin.post(f"/v1/handovers/{ordered['id']}:cancel")).status_code == 409
    second = (await branch.order("A", effective_on=tomorrow.isoformat())).json()["handover"]
    late = await branch.customer("A", "C")
    runtime = branch.bank.service.runtime
    await start_due(runtime)
    assert await branch.owners(customer) == ("main", "A", "B")
    await branch.bank.sql(
        "UPDATE handover SET effective_on = effective_on - 1 WHERE id = CAST(:id AS uuid) RETURNING 1",
        id=second["id"],
    )
    await start_due(runtime)
    done = await branch.ended(second, "done")
    assert done["customers"] == 2
    assert (await branch.owners(customer))[1:] == ("B", "C")
    assert (await branch.owners(late))[1:] == ("C", "B")
    listed = (await branch.bank.admin.get("/v1/handovers", params={"staff": branch.code("A")})).json()
    assert [item["state"] for item in listed["items"]] == ["done", "cancelled"]


async def test_a_killed_handover_goes_on(branch: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover_runs, "CHUNK", 2)
    customers = [await branch.customer("A", "B") for _ in range(5)]
    merged = await branch.customer("A", "B")
    await branch.bank.sql(
        "UPDATE customer SET merged_into = CAST(:s AS uuid), status = 'merged' WHERE id = CAST(:m AS uuid)"
        " RETURNING 1",
        s=customers[0]["id"],
        m=merged["id"],
    )
    tomorrow = clock.today() + timedelta(days=1)
    handover = (await branch.order("A", effective_on=tomorrow.isoformat())).json()["handover"]
    await branch.bank.sql(
        "UPDATE handover SET state = 'running' WHERE id = CAST(:id AS uuid) RETURNING 1", id=handover["id"]
    )

    class Killed(JobRun):
        async def progress(self, fraction: float, step: Any = None, counts: Any = None) -> None:
            raise SystemExit

    runtime = branch.bank.service.runtime
    args = {"handover_id": handover["id"]}
    with pytest.raises(SystemExit):
        await run_handover(Killed(new_id(), args, "user:tester", runtime))
    half = (await branch.bank.admin.get(f"/v1/handovers/{handover['id']}")).json()
    assert (half["state"], half["done"]) == ("running", 2)
    result = await run_handover(JobRun(new_id(), args, "user:tester", runtime))
    assert (result["state"], result["done"]) == ("done", 5)
    for customer in [*customers, merged]:
        assert (await branch.owners(customer))[1:] == ("B", "C")
    again = await run_handover(JobRun(new_id(), args, "user:tester", runtime))
    assert again["state"] == "done"


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owners=st.lists(st.tuples(st.booleans(), st.sampled_from("BC"), st.booleans()), min_size=1, max_size=5),
    wanted=st.sampled_from(
        [EVERYBODY, {"strategy": "receivers", "receivers": [{"staff": "B"}, {"staff": "C", "weight": "2"}]}]
    ),
)
async def test_undoing_gives_back_exactly_what_was(
    branch: Branch, owners: list[tuple[bool, str, bool]], wanted: dict[str, Any]
) -> None:
    customers = []
    for as_primary, other, shared in owners:
        customer = await branch.customer(*(("A", other) if as_primary else (other, "A")))
        customers.append(customer["id"])
        if shared:
            path = f"/v1/customers/{customer['id']}/ownership"
            managers = {name: customer[name] for name in ("org", "primary_manager", "backup_manager")}
            parts = [
                {"org": branch.org, "role": "lead", "share": "0.6"},
                {"org": "hq.sh", "role": "co", "share": "0.4"},
            ]
            body = {**managers, "branches": parts}
            answer = await branch.bank.admin.put(path, json=body, headers={"If-Match": '"v1"'})
            assert answer.status_code == 200, answer.text

    async def everything() -> list[Any]:
        found = []
        for customer_id in customers:
            view = (await branch.bank.admin.get(f"/v1/customers/{customer_id}/ownership")).json()
            found.append({name: value for name, value in view.items() if name != "version"})
        return found

    before = await everything()
    named = {
        **wanted,
        "receivers": [{**one, "staff": branch.code(one["staff"])} for one in wanted.get("receivers", [])],
    }
    done = await branch.ended((await branch.order("A", plan=named)).json()["handover"], "done")
    assert await everything() != before
    await branch.bank.admin.post(f"/v1/handovers/{done['id']}:undo")
    await branch.ended(done, "undone")
    assert await everything() == before
    # Nothing is left with A for the next example.
    done = await branch.ended((await branch.order("A")).json()["handover"], "done")
    assert done["left"] == 0


async def test_a_portfolio_tells_what_is_in_somebodys_care(branch: Branch) -> None:
    first, second = await branch.customer("A", "B"), await branch.customer("A", None)
    await branch.customer("B", "A")
    for customer, balance, more in (
        (first, "100.25", {}),
        (second, "50.00", {"matures_on": (clock.today() + timedelta(days=10)).isoformat()}),
    ):
        holding = {
            "source": "core",
            "source_id": source_id(customer),
            "account": f"A{number()}",
            "product": "wealth-steady",
            "balance": balance,
            "as_of": "2026-11-01",
            **more,
        }
        assert (await branch.bank.core.post("/v1/holdings", json={"items": [holding]})).status_code == 200
    path = f"/v1/staff/{branch.code('A')}/portfolio"
    found = (await branch.bank.admin.get(path, params={"limit": 2})).json()
    assert (found["as_primary"], found["as_backup"], found["without_backup"]) == (2, 1, 1)
    assert found["without_backup_share"] == 0.5
    assert found["totals"] == [{"currency": "CNY", "assets": "150.25", "liabilities": "0.00"}]
    assert found["maturing"] == [{"currency": "CNY", "accounts": 1, "balance": "50.00"}]
    page = found["customers"]
    assert [item["role"] for item in page["items"]] == ["primary", "primary"]
    assert page["items"][0]["totals"][0]["assets"] == "100.25"
    rest = await branch.bank.admin.get(path, params={"cursor": page["next_cursor"]})
    assert [item["role"] for item in rest.json()["customers"]["items"]] == ["backup"]
    assert (await branch.bank.head_sh.get(path)).status_code == 404
