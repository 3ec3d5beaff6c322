"""What other services hear of relations and of value: each customer's own, exact, and only what is new."""

from decimal import Decimal
from typing import Any

from services.customer.domain.relations import WORDS
from shared.contracts.events import MonthOfCustomer, RelationsChanged, RelationState, ValuesCalculated
from tests.customer.conftest import Bank, number
from tests.customer.test_exports import rows
from tests.customer.test_facts import facts
from tests.customer.test_relations import company, relate, relation
from tests.customer.value_world import code, hold, put_model, run, value_of

D = Decimal


async def relations_told(bank: Bank, customer: dict[str, Any]) -> list[RelationState]:
    found = [fact for fact in await facts(bank, customer["id"]) if isinstance(fact, RelationsChanged)]
    states = [state for fact in found for state in fact.relations]
    return [s for s in states if customer["id"] in str((s.from_customer, s.to_customer))]


async def values_told(
    bank: Bank, customer: dict[str, Any], model: str
) -> list[tuple[ValuesCalculated, MonthOfCustomer]]:
    """In the order told."""
    ids = {"customer_id", "home_id"}
    return [
        (fact, each)
        for fact in await facts(bank, customer["id"])
        if isinstance(fact, ValuesCalculated) and fact.model == model
        for each in fact.values
        if customer["id"] in {str(getattr(each, name)) for name in ids}
    ]


async def merge(bank: Bank, survivor: dict[str, Any], merged: dict[str, Any]) -> str:
    body: dict[str, Any] = {"survivor": survivor["id"], "merged": [merged["id"]], "reason": "one firm"}
    body |= {"overrides": {"id_number": survivor["id"]}}
    answer = await bank.admin.post("/v1/customers:merge", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["merge_id"])


async def test_a_relation_is_told_when_it_is_new_and_when_it_ends(bank: Bank) -> None:
    firm, worker = await company(bank), await bank.customer()
    item = relation(firm, "employs", worker, valid_from="2024-01-01")
    told = await relate(bank, item)
    await relate(bank, item)
    path = f"/v1/relationships/{told['items'][0]['id']}"
    change = {"valid_to": "2025-01-01"}
    assert (await bank.admin.patch(path, json=change, headers={"If-Match": '"v1"'})).status_code == 200
    first, last = await relations_told(bank, worker)
    assert (first.version, first.type, first.symmetric, str(first.valid_from), first.valid_until) == (
        1,
        "employs",
        False,
        "2024-01-01",
        None,
    )
    assert (first.from_customer.ordinal, first.to_customer.ordinal) == (firm["ordinal"], worker["ordinal"])
    assert (last.version, str(last.valid_until), last.relation_id) == (2, "2025-01-01", first.relation_id)


async def test_a_merged_customers_relation_names_survivor_and_home(bank: Bank) -> None:
    """An unknown beginning is no date, and symmetric words are those of the vocabulary."""
    one, other, survivor = await company(bank), await company(bank), await company(bank)
    await merge(bank, survivor, one)
    await relate(bank, relation(one, "supplies", other), relation(other, "associate", survivor))
    supplies, associate = sorted(await relations_told(bank, other), key=lambda state: not state.symmetric)[
        ::-1
    ]
    start = supplies.from_customer
    assert (str(start.customer_id), str(start.home_id)) == (survivor["id"], one["id"])
    assert (start.ordinal, start.home_ordinal) == (survivor["ordinal"], one["ordinal"])
    assert supplies.valid_from is None
    assert (supplies.to_customer.home_id, associate.symmetric) == (None, True)
    exported = {row["relationship_id"]: row for row in await rows(bank.strategist, "relations")}
    row = exported[str(supplies.relation_id)]
    assert (row["version"], row["symmetric"], row["from_ordinal"], row["from_home_ordinal"]) == (
        1,
        False,
        survivor["ordinal"],
        one["ordinal"],
    )
    assert {word for word in WORDS if WORDS[word].symmetric} == {"associate", "household"}


async def test_a_finished_calculation_tells_each_customers_month(bank: Bank) -> None:
    unit = f"hq.v{number()}"
    await bank.admin.put(f"/v1/orgs/{unit}", json={"level": "tier2", "name": {"zh": "甲", "en": "A"}})
    place = {"org": unit, "primary_manager": None, "backup_manager": None, "industry": "peat"}
    poor, rich = await company(bank, **place), await company(bank, **place)
    await hold(bank, poor, ("D", "demand-deposit", "60000.00", "2026-09-30"))
    await hold(bank, rich, ("D", "demand-deposit", "70000.00", "2026-09-30"))
    await hold(bank, rich, ("L", "home-loan", "200000.00", "2026-09-30"))
    name = code()
    await put_model(bank, name, peers={"by": ["industry"], "minimum": 2})
    done = await run(bank, name)
    ((event, told),) = await values_told(bank, rich, name)
    view = await value_of(bank, rich, name)
    total = view["total"]
    assert (event.model, str(event.month), str(event.run_id), event.edition) == (
        name,
        "2026-10-01",
        done["id"],
        1,
    )
    assert (told.products, told.contribution) == (2, D(total["contribution"]))
    assert told.income == D(total["ftp_margin"]) + D(total["fees"])
    assert told.net_income == told.income - D(total["expected_loss"]) - D(total["operating_cost"])
    assert told.capital_years == (D(total["capital"]) * 31 / 365).quantize(D("0.000001"))
    assert told.raroc == D(total["raroc"])
    ((_, lacks),) = await values_told(bank, poor, name)
    assert lacks.raroc is None
    assert lacks.potential == D((await value_of(bank, poor, name))["potential"]["total"]) > 0
    exported = {r["customer_id"]: r for r in await rows(bank.strategist, "values") if r["model"] == name}
    row = exported[rich["id"]]
    assert (row["contribution"], row["capital_years"], row["edition"]) == (
        told.contribution,
        told.capital_years,
        1,
    )
    assert exported[poor["id"]]["potential"] == lacks.potential


async def test_a_month_calculated_again_takes_back_what_is_gone(bank: Bank) -> None:
    stays, goes = await bank.customer(), await bank.customer()
    await hold(bank, stays, ("D", "demand-deposit", "1000.00", "2026-09-30"))
    await hold(bank, goes, ("D", "demand-deposit", "500.00", "2026-09-30"))
    name = code()
    await put_model(bank, name, peers={"by": ["kind"], "minimum": 100_000})
    await run(bank, name)
    survivor = await bank.customer()
    await merge(bank, survivor, stays)
    for table in ("holding_day", "holding"):
        await bank.sql_write(f"DELETE FROM {table} WHERE customer_id = CAST(:c AS uuid)", c=goes["id"])
    await run(bank, name, reason="wrong account")
    assert [(e.edition, v.products) for e, v in await values_told(bank, goes, name)] == [(1, 1), (2, 0)]
    (_, before), (_, after) = await values_told(bank, stays, name)
    assert (before.home_id, str(after.home_id), str(after.customer_id)) == (None, stays["id"], survivor["id"])
    assert (after.home_ordinal, after.ordinal) == (stays["ordinal"], survivor["ordinal"])
    assert after.contribution == before.contribution
    exported = [r for r in await rows(bank.strategist, "values") if r["model"] == name]
    assert goes["id"] not in {row["customer_id"] for row in exported}
    assert [row["edition"] for row in exported if row["home_id"] == stays["id"]] == [2]
