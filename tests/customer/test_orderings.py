"""Any order, any repetition, any cutting into batches of the same events ends in the same state."""

from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.customer.conftest import Bank, event, number, person

MEASURED = st.integers(0, 5).map(lambda n: (date(2026, 9, 1) + timedelta(days=n)).isoformat())
DAYS = st.integers(0, 5).map(lambda n: (date(2026, 10, 1) + timedelta(days=n)).isoformat())
MONEY = st.integers(0, 5).map(lambda n: f"{n}.00")
ACCOUNT = st.sampled_from(["A", "B"])
PRODUCT = st.sampled_from(["wealth-steady", "demand-deposit"])
CURRENCY = st.sampled_from(["CNY", "USD"])


def _product(kind: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, str, dict[str, Any]]]:
    told = {"balance": MONEY, "currency": CURRENCY, "opened_on": DAYS, "matures_on": DAYS}
    optional = {name: values for name, values in told.items() if name not in more}
    data = st.fixed_dictionaries({"account": ACCOUNT, "product": PRODUCT, **more}, optional=optional)
    return st.tuples(st.just(kind), DAYS, data)


FACTS = st.one_of(
    _product("balance.snapshot", balance=MONEY, as_of=MEASURED),
    _product("product.opened"),
    _product("product.closed"),
    _product("product.matured"),
    _product("product.renewed", matures_on=DAYS),
    st.tuples(
        st.just("risk.assessed"),
        DAYS,
        st.fixed_dictionaries({"level": st.sampled_from(["C1", "C2"]), "valid_until": DAYS}),
    ),
    st.tuples(
        st.just("consent.changed"),
        DAYS,
        st.fixed_dictionaries(
            {"channel": st.sampled_from(["call", "app"]), "granted": st.booleans()},
            optional={"purpose": st.sampled_from(["marketing", "sharing"]), "valid_until": DAYS},
        ),
    ),
    st.tuples(st.just("login"), DAYS, st.fixed_dictionaries({"channel": st.just("mobile")})),
)


def _event(subject: str, index: int, fact: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    kind, day, data = fact
    # Up to three at one instant: what they say decides, not which of them came first.
    time = f"{day}T12:00:{index // 3:02d}+08:00"
    return event(subject, kind, id=f"{subject}-{index}", time=time, data=data)


STATE = {
    "holding": "SELECT account, product, balance, currency, as_of, measured_at, opened_on, matures_on, closed_on"
    " FROM holding WHERE customer_id = CAST(:id AS uuid) ORDER BY account",
    "holding_day": "SELECT account, as_of, balance, measured_at FROM holding_day"
    " WHERE customer_id = CAST(:id AS uuid) ORDER BY account, as_of",
    "customer": "SELECT risk_level, risk_valid_until, risk_assessed_at, consents FROM customer"
    " WHERE id = CAST(:id AS uuid)",
    "consent": "SELECT channel, purpose, granted, changed_at, valid_until FROM consent"
    " WHERE customer_id = CAST(:id AS uuid) ORDER BY channel, purpose",
    "ledger": "SELECT channel, purpose, granted, changed_at, valid_until FROM consent_entry"
    " WHERE customer_id = CAST(:id AS uuid) ORDER BY channel, purpose, changed_at",
    "log": "SELECT split_part(event_id, '-', 2), type, time, data::text FROM customer_event"
    " WHERE customer_id = CAST(:id AS uuid) ORDER BY 1",
}


async def _state(bank: Bank, customer_id: str) -> dict[str, list[Any]]:
    return {name: await bank.sql(statement, id=customer_id) for name, statement in STATE.items()}


async def test_of_two_measures_at_one_instant_the_same_one_counts_always(bank: Bank) -> None:
    """Equal in everything that orders them but product and currency."""
    ends = []
    for turned in (False, True):
        subject = f"tie{number()}"
        created = await bank.customer(**person(identities=[{"source": "core", "source_id": subject}]))
        told = {"account": "A", "balance": "1.00", "as_of": "2026-09-01"}
        facts = [
            ("balance.snapshot", "2026-10-01", {**told, "product": "wealth-steady", "currency": "USD"}),
            ("balance.snapshot", "2026-10-01", {**told, "product": "demand-deposit", "currency": "CNY"}),
            ("balance.snapshot", "2026-10-01", {**told, "product": "wealth-steady", "currency": "CNY"}),
        ]
        events = [_event(subject, index, fact) for index, fact in enumerate(facts)]
        for each in reversed(events) if turned else events:
            assert (await bank.push(each)).status_code == 200
        ends.append((await _state(bank, created["id"]))["holding"])
    assert ends[0] == ends[1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FACTS, min_size=1, max_size=12), st.randoms(use_true_random=False), st.data())
async def test_order_and_repetition_do_not_matter(
    bank: Bank, facts: list[tuple[str, str, dict[str, Any]]], random: Any, data: st.DataObject
) -> None:
    states = []
    for shuffled in (False, True):
        subject = f"h{number()}"
        events = [_event(subject, index, fact) for index, fact in enumerate(facts)]
        if shuffled:
            repeated = data.draw(st.lists(st.sampled_from(events), max_size=4))
            events += repeated
            random.shuffle(events)
        arrival = data.draw(st.integers(0, len(events))) if shuffled else 0
        cut = max(1, data.draw(st.integers(1, len(events)))) if shuffled else len(events)
        created = None
        for start in range(0, len(events), cut):
            if created is None and start >= arrival:
                created = await bank.customer(**person(identities=[{"source": "core", "source_id": subject}]))
            answer = await bank.push(*events[start : start + cut])
            assert answer.status_code == 200, answer.text
        if created is None:
            created = await bank.customer(**person(identities=[{"source": "core", "source_id": subject}]))
        states.append(await _state(bank, created["id"]))
        await bank.push(*events)
        assert await _state(bank, created["id"]) == states[-1]
    for state in states:
        # The consents a customer is created with carry the hour of creation.
        for table in ("consent", "ledger"):
            state[table] = [row for row in state[table] if row[0] == "app"]
        for row in state["customer"]:
            row[3].pop("call", None)
            row[3].pop("sms", None)
    assert states[0] == states[1]
