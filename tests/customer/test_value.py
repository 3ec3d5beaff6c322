"""Value through the API: set-based figures against the reference, roll-ups to the cent."""

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from services.customer.domain.value import period_of, row_of, terms_of, weighted_balance
from services.customer.queries import value_rollups
from services.customer.queries.value import current_runs
from shared import clock
from shared.contracts.customer.value import ValueModelWrite
from shared.db import fetch
from tests.customer.conftest import Bank, event, number, source_id
from tests.customer.value_world import (
    FIGURES,
    MODEL,
    OCTOBER,
    D,
    code,
    hold,
    put_model,
    run,
    value_of,
)


async def test_a_customers_month_by_hand(bank: Bank) -> None:
    customer = await bank.customer()
    await hold(
        bank,
        customer,
        ("D", "demand-deposit", "1000.00", "2026-09-10"),
        ("D", "demand-deposit", "40000.00", "2026-10-06"),
        ("D", "demand-deposit", "100.00", "2026-10-21"),
        ("D", "demand-deposit", "9.00", "2026-11-02"),
        ("L", "home-loan", "1000000.00", "2026-08-31"),
    )
    spent = {"amount": "200.00"}
    await bank.push(
        event(source_id(customer), "card.spent", data=spent, time="2026-10-01T00:00:00+08:00"),
        event(source_id(customer), "card.spent", data={"amount": "-50.00"}, time="2026-10-31T23:59:59+08:00"),
        event(source_id(customer), "card.spent", data=spent, time="2026-09-30T23:59:59+08:00"),
        event(source_id(customer), "card.spent", data=spent, time="2026-11-01T00:00:00+08:00"),
        event(source_id(customer), time="2026-10-10T10:00:00+08:00"),
        event(
            source_id(customer),
            "interaction.recorded",
            data={"kind": "call", "minutes": 6},
            time="2026-10-11T10:00:00+08:00",
        ),
    )
    name = code()
    await put_model(bank, name)
    done = await run(bank, name)
    assert done["state"] == "current", done
    assert done["watermark"]["event"] > 0
    view = await value_of(bank, customer, name)
    rows = {row["product"]: row for row in view["products"]}
    deposit = rows["demand-deposit"]
    # (5 × 1,000 + 15 × 40,000 + 11 × 100) / 31 = 19,551.612…
    assert deposit["average_balance"] == "19551.61"
    assert deposit["ftp_margin"] == "20.76"  # × 0.0125 × 31 / 365 = 20.7568…
    assert deposit["fees"] == "0.50"
    assert deposit["operating_cost"] == "2.62"  # 2.50 + 0.12
    assert deposit["contribution"] == "18.64"
    assert deposit["raroc"] is None
    loan = rows["home-loan"]
    assert (loan["ftp_margin"], loan["expected_loss"]) == ("516.67", "764.38")
    assert (loan["capital"], loan["capital_charge"], loan["contribution"]) == (
        "57500.00",
        "586.03",
        "-845.74",
    )
    # (516.67 − 764.38 − 12.00) / (57,500 × 31 / 365) = −259.71 / 4,883.5616…
    assert loan["raroc"] == "-0.053180"
    wealth = rows["wealth-steady"]
    assert (wealth["fees"], wealth["operating_cost"]) == ("0.83", "9.00")  # 150 × 0.0055 = 0.825; 6 × 1.5
    assert view["total"]["contribution"] == "-835.27"  # 18.64 − 845.74 − 8.17
    assert [m["month"] for m in view["months"]] == ["2026-10"]
    assert view["cross_sell"]["categories"] == 3


def _random_history(rng: random.Random) -> list[tuple[str, str, str, str]]:
    items = []
    for account, product in (("A", "demand-deposit"), ("B", "demand-deposit"), ("C", "home-loan")):
        for _ in range(rng.randint(0, 5)):
            day = date(2026, 9, 1) + timedelta(days=rng.randint(0, 75))
            balance = D(rng.randint(-300_000_00, 900_000_00)).scaleb(-2)
            items.append((account, product, str(balance), day.isoformat()))
    return [*{(account, day): (account, product, b, day) for account, product, b, day in items}.values()]


async def test_the_set_based_figures_are_the_references(bank: Bank) -> None:
    """Random balances and events of 25 customers; one account each in dollars."""
    rng, name = random.Random(7), code()
    spec = ValueModelWrite.model_validate(MODEL)
    period = period_of(OCTOBER, clock.today())
    expected: dict[str, dict[str, list[str]]] = {}
    for _ in range(25):
        band = rng.choice([None, "C1", "C4"])
        customer = await bank.customer(risk_level=band)
        history, dollars = (
            _random_history(rng),
            rng.choice([[], [("U", "wealth-steady", "812.37", "2026-10-09")]]),
        )
        if history:
            await hold(bank, customer, *history)
        if dollars:
            await hold(bank, customer, *dollars, currency="USD")
        amounts = [D(rng.randint(-5_000, 90_000)).scaleb(-2) for _ in range(rng.randint(0, 3))]
        day = datetime.combine(date(2026, 10, 15), time(), clock.ZONE).isoformat()
        if amounts:
            await bank.push(
                *(
                    event(source_id(customer), "card.spent", data={"amount": str(a)}, time=day)
                    for a in amounts
                )
            )
        expected[customer["id"]] = _reference(spec, period, band, [*history, *dollars], amounts)
    await put_model(bank, name)
    assert (await run(bank, name))["state"] == "current"
    for customer_id, rows in expected.items():
        view = await value_of(bank, customer_id, name)
        found = {row["product"]: [row[figure] for figure in FIGURES] for row in view["products"]}
        assert found == rows, customer_id


def _reference(
    spec: ValueModelWrite,
    period: Any,
    band: str | None,
    history: list[tuple[str, str, str, str]],
    spent: list[D],
) -> dict[str, list[str]]:
    categories = {"demand-deposit": "demand", "home-loan": "loan", "wealth-steady": "wealth"}
    rows = {}
    for product, category in categories.items():
        accounts: dict[str, list[tuple[date, Decimal]]] = {}
        for account, of, balance, day in history:
            if of == product:
                accounts.setdefault(account, []).append((date.fromisoformat(day), D(balance)))
        known = {a: days for a, days in accounts.items() if min(days)[0] < period.end}
        fees = sum((a * D("0.0055") for a in spent), D(0)) if product == "wealth-steady" else D(0)
        if not known and not (spent and product == "wealth-steady"):
            continue
        weighted = sum((weighted_balance(days, period) for days in known.values()), D(0))
        row = row_of(
            spec,
            terms_of(spec, product, category, D("0.0125")),
            period,
            weighted=weighted * (D("7.1234") if product == "wealth-steady" else 1),
            accounts=len(known),
            fees=fees,
            event_costs=D(0),
            band=band,
        )
        rows[product] = [format(getattr(row, figure), ".2f") for figure in FIGURES]
    return rows


async def test_rollups_are_the_sum_of_customers_with_any_shares(bank: Bank) -> None:
    """Random shares between branches and a merged file: units, staff and customers tell one sum."""
    rng, name = random.Random(11), code()
    mine = f"hq.v{number()}"
    units = [f"{mine}.a", f"{mine}.b", f"{mine}.c"]
    for unit, level in [(mine, "tier1"), *((unit, "subbranch") for unit in units)]:
        assert (
            await bank.admin.put(f"/v1/orgs/{unit}", json={"level": level, "name": {"zh": unit, "en": unit}})
        ).status_code == 200
    staff = f"SV{number()}"
    body = {"name": "员工", "role": "manager", "org": units[0]}
    assert (await bank.admin.put(f"/v1/staff/{staff}", json=body)).status_code == 200
    customers = []
    for index in range(12):
        customer = await bank.customer(
            org=units[index % 3], primary_manager=staff if index % 2 else None, backup_manager=None
        )
        customers.append(customer)
        for product in ("demand-deposit", "home-loan"):
            balance = D(rng.randint(100, 900_000_00)).scaleb(-2)
            await hold(bank, customer, (product, product, str(balance), "2026-09-30"))
        if index % 4:
            await _share(bank, customer, units, rng)
    await put_model(bank, name)
    await run(bank, name)
    await _merge(bank, customers[1], customers[3])
    values = {c["id"]: await value_of(bank, c, name) for i, c in enumerate(customers) if i != 3}
    whole = (await bank.admin.get(f"/v1/orgs/{mine}/value", params={"model": name})).json()
    parts = [
        (await bank.admin.get(f"/v1/orgs/{unit}/value", params={"model": name})).json()["total"]
        for unit in units
    ]
    for figure in FIGURES:
        of_customers = sum(D(v["total"][figure]) for v in values.values())
        assert D(whole["total"][figure]) == of_customers
        assert sum(D(part[figure]) for part in parts) == of_customers
        assert sum(D(unit[figure]) for unit in whole["units"]) == of_customers
        assert sum(D(category[figure]) for category in whole["categories"]) == of_customers
    managed = (await bank.admin.get(f"/v1/staff/{staff}/value", params={"model": name})).json()["total"]
    theirs = [values[c["id"]] for i, c in enumerate(customers) if i % 2 and i != 3]
    assert D(managed["contribution"]) == sum(D(v["total"]["contribution"]) for v in theirs)
    assert whole["cross_sell"] == {"customers": 11, "categories_per_customer": "2.0000", "ratio": "1.0000"}
    page = (
        await bank.admin.get("/v1/value-ranking", params={"model": name, "org": mine, "limit": 1000})
    ).json()["items"]
    assert [i["customer_id"] for i in page] == sorted(
        values, key=lambda i: D(values[i]["total"]["contribution"]), reverse=True
    )
    assert values[page[0]["customer_id"]]["rank"]["place"] == 1


async def _share(bank: Bank, customer: dict[str, Any], units: list[str], rng: random.Random) -> None:
    cut = sorted(rng.sample(range(1, 1_000_000), 2))
    parts = [D(n).scaleb(-6) for n in (cut[0], cut[1] - cut[0], 1_000_000 - cut[1])]
    lead = units.index(customer["org"])
    await bank.sql(
        "INSERT INTO customer_branch (customer_id, org_path, role, share, valid_from)"
        " SELECT CAST(:id AS uuid), unit, CASE WHEN n = :lead THEN 'lead' ELSE 'co' END, share, '2026-01-01'"
        " FROM unnest(CAST(:units AS text[]), CAST(:shares AS numeric[])) WITH ORDINALITY AS s(unit, share, n)"
        " RETURNING 1",
        id=customer["id"],
        units=units,
        shares=parts,
        lead=lead + 1,
    )


async def _merge(bank: Bank, survivor: dict[str, Any], merged: dict[str, Any]) -> None:
    """As a merge leaves the rows: the pointer set, branch and managers as the survivor's."""
    await bank.sql(
        "DELETE FROM customer_branch WHERE customer_id = CAST(:id AS uuid) RETURNING 1", id=merged["id"]
    )
    await bank.sql(
        "UPDATE customer m SET merged_into = s.id, status = 'merged', org_path = s.org_path,"
        " primary_manager = s.primary_manager, version = m.version + 1 FROM customer s"
        " WHERE s.id = CAST(:survivor AS uuid) AND m.id = CAST(:merged AS uuid) RETURNING 1",
        survivor=survivor["id"],
        merged=merged["id"],
    )


async def test_branches_see_their_own(bank: Bank) -> None:
    customer = await bank.customer()
    elsewhere = await bank.customer(org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    for each in (customer, elsewhere):
        await hold(bank, each, ("D", "demand-deposit", "1000.00", "2026-09-30"))
    name = code()
    await put_model(bank, name)
    done = await run(bank, name)
    params: dict[str, Any] = {"model": name, "limit": 1000}
    path = f"/v1/customers/{customer['id']}/value"
    assert (await bank.manager_sh.get(path, params=params)).status_code == 200
    assert (await bank.manager_bj.get(path, params=params)).status_code == 404
    assert (await bank.manager_bj.get("/v1/orgs/hq.sh/value", params=params)).status_code == 404
    assert (await bank.manager_bj.get("/v1/staff/S1/value", params=params)).status_code == 404
    ranked = await bank.manager_bj.get("/v1/value-ranking", params=params)
    assert customer["id"] not in ranked.text
    whole = D(done["totals"]["contribution"])
    part = (await bank.head_sh.get(f"/v1/value-runs/{done['id']}")).json()["totals"]["contribution"]
    shanghai = (await bank.head_sh.get("/v1/orgs/hq.sh/value", params=params)).json()["total"]["contribution"]
    everything = (await bank.admin.get("/v1/orgs/hq/value", params=params)).json()["total"]["contribution"]
    assert D(everything) == whole
    assert (shanghai, D(part) != whole) == (part, True)


async def test_stored_totals_are_what_adding_up_again_finds(bank: Bank) -> None:
    """Since a move the branches are added up anew: the bank's total stays, and the customer's branch changes."""
    customer = await bank.customer()
    await hold(bank, customer, ("M", "demand-deposit", "730000.00", "2026-09-30"))
    name = code()
    await put_model(bank, name)
    await run(bank, name)
    async with bank.service.runtime.db.transaction() as session:
        runs = [one.id for one in await current_runs(session, name, 1)]
        stored = await fetch(session, value_rollups._STORED, {"org": "hq", "runs": runs})
        again = await fetch(session, value_rollups._BRANCHES, {"org": "hq", "runs": runs})
        used = await value_rollups._branch_rows(session, "hq", runs)
    assert stored
    in_cents = [
        sorted(str([round(x, 2) if isinstance(x, D) else x for x in row]) for row in rows)
        for rows in (stored, again, used)
    ]
    assert in_cents[0] == in_cents[1] == in_cents[2]
    before = (await bank.admin.get("/v1/orgs/hq.sh/value", params={"model": name})).json()

    view = await bank.admin.get(f"/v1/customers/{customer['id']}")
    body = {"org": "hq.sh", "primary_manager": None, "backup_manager": None}
    moved = await bank.admin.put(
        f"/v1/customers/{customer['id']}/ownership", json=body, headers={"If-Match": view.headers["etag"]}
    )
    assert moved.status_code == 200, moved.text
    after = (await bank.admin.get("/v1/orgs/hq.sh/value", params={"model": name})).json()
    assert after["total"] == before["total"]
    assert after["units"] != before["units"]


async def test_potential_is_what_peers_have_more(bank: Bank) -> None:
    """Four companies of one branch and band; incomes from loans 0, 0.05, 0.10 and 0.15 a unit of balance."""
    unit = f"hq.p{number()}"
    await bank.admin.put(f"/v1/orgs/{unit}", json={"level": "tier2", "name": {"zh": "甲", "en": "A"}})
    customers = []
    for index in range(4):
        customer = await bank.customer(
            kind="company", org=unit, primary_manager=None, backup_manager=None, industry="coal"
        )
        customers.append(customer)
        await hold(bank, customer, ("D", "demand-deposit", "60000.00", "2026-09-30"))
        if index:
            await hold(bank, customer, ("L", "home-loan", f"{index}00000.00", "2026-09-30"))
    name = code()
    peers = {"by": ["kind", "industry", "aum_band"], "aum_bands": ["50000"], "minimum": 4}
    await put_model(bank, name, peers=peers)
    await run(bank, name)
    poor, rich = await value_of(bank, customers[0], name), await value_of(bank, customers[3], name)
    assert (poor["potential"]["peer_group"], poor["potential"]["peers"]) == ("company/1/coal", 4)
    loans = {c["category"]: c for c in poor["potential"]["categories"]}["loan"]
    # Of 0, 51.67, 103.33 and 155.00 the third is the 75th percentile: 200,000 × 0.006 × 31 / 360 = 103.333…
    assert (loans["own"], loans["benchmark"], loans["potential"]) == ("0.00", "103.33", "103.33")
    assert {c["category"]: c["potential"] for c in rich["potential"]["categories"]}["loan"] == "0.00"
    assert rich["rank"] == {"org": unit, "place": 4, "of": 4}  # loans of this model lose money


async def test_a_group_is_its_companies_once_each(bank: Bank) -> None:
    mother, daughter, grandchild = [
        await bank.customer(kind="company", gender=None, birth_date=None) for _ in range(3)
    ]
    for customer in (mother, daughter, grandchild):
        await hold(bank, customer, ("D", "demand-deposit", "365000.00", "2026-09-30"))
    edges = [(mother, daughter), (daughter, grandchild), (mother, grandchild), (grandchild, mother)]
    for parent, child in edges:
        await bank.sql(
            "INSERT INTO relationship (id, from_id, to_id, kind, valid_from, source, created_by, created_at,"
            " updated_at) VALUES (gen_random_uuid(), CAST(:p AS uuid), CAST(:c AS uuid), 'parent', '2020-01-01',"
            " 'bank', 'test', now(), now()) RETURNING 1",
            p=parent["id"],
            c=child["id"],
        )
    name = code()
    await put_model(bank, name)
    await run(bank, name)
    path = f"/v1/customers/{mother['id']}/value/group"
    group = (await bank.admin.get(path, params={"model": name})).json()
    assert {(m["customer_id"], m["depth"]) for m in group["members"]} == {
        (mother["id"], 0),
        (daughter["id"], 1),
        (grandchild["id"], 1),
    }
    single = await value_of(bank, mother, name)
    assert D(group["total"]["contribution"]) == 3 * D(single["total"]["contribution"])
