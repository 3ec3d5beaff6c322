"""What other services hear from this one, and what it hears from them."""

from datetime import timedelta
from typing import Any

import orjson

from shared import clock
from shared.contracts.events import EVENTS, ContactRecorded, CustomersChanged, HoldingsChanged
from shared.ids import new_id, partition_of
from tests.customer.conftest import Bank, event, source_id
from tests.support import eventually


async def facts(bank: Bank, customer_id: str) -> list[Any]:
    """Every published event about one customer, checked against the catalogue."""
    rows = await bank.sql("SELECT subject, payload FROM outbox ORDER BY seq")
    found = []
    for subject, payload in rows:
        envelope = orjson.loads(payload)
        data = EVENTS[envelope["type"]].model_validate(envelope["data"])
        assert subject == f"{data.SUBJECT}.{data.partition_key()}"
        if customer_id in payload.decode():
            found.append(data)
    return found


async def test_facts_follow_the_catalogue_and_their_partition(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    snapshot = {"account": "A", "product": "wealth-steady", "balance": "10.50", "as_of": "2026-11-01"}
    await bank.push(
        event(subject),
        event(subject, "balance.snapshot", data=snapshot),
        event(subject, "consent.changed", data={"channel": "visit", "granted": True}),
    )
    found = await facts(bank, customer["id"])
    kinds = [type(fact).__name__ for fact in found]
    assert kinds.count("CustomersChanged") == 2
    assert kinds.count("HoldingsChanged") == 1
    assert kinds.count("CustomerEventsRecorded") == 1
    states = [
        s
        for f in found
        if isinstance(f, CustomersChanged)
        for s in f.customers
        if str(s.customer_id) == customer["id"]
    ]
    assert [state.version for state in states] == [1, 2]
    assert states[1].consents == {"call": True, "sms": False, "visit": True}
    holding = next(h for f in found if isinstance(f, HoldingsChanged) for h in f.holdings)
    assert (str(holding.balance), holding.category, holding.ordinal) == (
        "10.50",
        "wealth",
        customer["ordinal"],
    )
    assert partition_of(holding.customer_id) == int(found[0].partition_key())


async def test_contacts_join_the_timeline_but_not_the_held_out(bank: Bank) -> None:
    customer = await bank.customer()
    contact, campaign = new_id(), new_id()

    def step(version: int, state: Any, disposition: Any = None, **changes: Any) -> ContactRecorded:
        return ContactRecorded(
            campaign_id=campaign,
            contact_id=changes.pop("contact_id", contact),
            customer_id=changes.pop("customer_id", customer["id"]),
            version=version,
            state=state,
            disposition=disposition,
            recorded_at=clock.now() + timedelta(seconds=version),
            recorded_by="S1",
        )

    await bank.service.publish(
        step(1, "assigned"),
        step(2, "done", "accepted"),
        step(1, "held_out", contact_id=new_id()),
        step(1, "assigned", customer_id=new_id(), contact_id=new_id()),
    )

    async def arrived() -> bool:
        view = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/360")).json()
        return [c["state"] for c in view["contacts"]] == ["done"]

    await eventually(arrived, what="the contact")
    await bank.push(event(source_id(customer)))
    page = (await bank.manager_sh.get(f"/v1/customers/{customer['id']}/timeline", params={"limit": 2})).json()
    rest = await bank.manager_sh.get(
        f"/v1/customers/{customer['id']}/timeline", params={"cursor": page["next_cursor"]}
    )
    kinds = [(item["kind"], item["type"]) for item in page["items"] + rest.json()["items"]]
    assert kinds == [("contact", "done"), ("contact", "assigned"), ("event", "transaction.posted")]
