"""Features of the past, and models that learn from it, on a store of their own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from services.segmentation.domain.expressions.defined import Definition, with_defined
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.past import not_known_then, past_matrix
from services.segmentation.queries.profile import feature_matrix
from services.segmentation.store import facts
from services.segmentation.store.store import Store
from services.segmentation.usecases.training import churn, clv, propensity
from services.segmentation.usecases.training.framework import Inputs, Training
from shared.contracts.base import Schema
from shared.contracts.events import CustomerState, HoldingState, RecordedEvent
from shared.contracts.segmentation.predictions import ChurnParameters, ClvParameters, PropensityParameters
from shared.pulse import Pulse
from tests.segmentation.churn_world import PERIOD, World, day_of, make_world

ZONE = ZoneInfo("Asia/Shanghai")
OWN = with_defined(
    BUILT_IN,
    [
        Definition("calm", "平静", "Calm", None, "login_count_30d - 3 * complaint_count_180d"),
        Definition("soon", "快到期", "Soon", None, "days_to_risk_expiry - 1"),
    ],
)
"""What people may have defined: of earlier moments only the first is known."""
NOW = Moment(datetime(2026, 6, 30, 12, tzinfo=ZONE), ZONE)
FEATURES = [
    "aum",
    "txn_count_30d",
    "login_count_30d",
    "complaint_count_180d",
    "last_login_days",
    "tenure_months",
]


@pytest.fixture(autouse=True, scope="module")
def _one_core() -> Iterator[None]:
    """As in the service: threads that wait for each other's cores are slower than one."""
    with threadpool_limits(1):
        yield


def _id(ordinal: int) -> UUID:
    return UUID(int=ordinal)


def _fill(store: Store, world: World) -> None:
    customers = [
        CustomerState(
            customer_id=_id(each + 1),
            ordinal=each + 1,
            version=1,
            kind="person",
            org="hq.sh",
            customer_since=day_of(NOW.today, 400),
        )
        for each in range(world.size)
    ]
    holdings = [
        HoldingState(
            customer_id=_id(who + 1),
            ordinal=who + 1,
            account=f"A{who}",
            product="demand-deposit",
            category="demand",
            balance=balance,
            as_of=day_of(NOW.today, age),
        )
        for who, balance, age in world.holdings
    ]
    events = [
        RecordedEvent(
            seq=number,
            event_id=str(number),
            source="core",
            type=type_,
            customer_id=_id(who + 1),
            ordinal=who + 1,
            time=NOW.at - timedelta(days=age),
            data=dict(data),
        )
        for number, (who, type_, age, data) in enumerate(world.events)
    ]
    with store.write() as cursor:
        facts.merge_customers(cursor, facts.customer_table(customers))
        facts.merge_holdings(cursor, facts.holding_table(holdings))
        facts.insert_events(cursor, facts.event_table(events))


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def store(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(Path(tmp_path_factory.mktemp("predictions")) / "store.duckdb")
    _fill(store, world)
    yield store
    store.close()


def _before(days: int) -> Moment:
    return Moment(NOW.at - timedelta(days=days), ZONE)


def test_the_store_as_it_was(store: Store, world: World) -> None:
    """As if the service had been asked then: later facts are not there, earlier ones are."""
    then = _before(PERIOD)
    with store.read() as cursor:
        ordinals, past = past_matrix(cursor, ["aum", "login_count_30d", "complaint_count_180d"], then)
        _, present = feature_matrix(cursor, ["aum"], NOW)
        assert [len(ordinals), ordinals[0]] == [world.size, 1]
    balances = {
        who: [(age, balance) for each, balance, age in world.holdings if each == who] for who in range(50)
    }
    for who, states in balances.items():
        known = [balance for age, balance in sorted(states, reverse=True) if age >= PERIOD]
        assert past["aum"][who] == pytest.approx(float(known[-1]))
    logins = np.zeros(world.size)
    complaints = np.zeros(world.size)
    for who, type_, age, _ in world.events:
        logins[who] += type_ == "login" and PERIOD <= age < 2 * PERIOD
        complaints[who] += type_ == "complaint.filed" and age >= PERIOD
    assert np.array_equal(past["login_count_30d"], logins)
    assert np.array_equal(past["complaint_count_180d"], complaints)
    assert present["aum"].sum() < past["aum"].sum()


def test_the_past_of_one_reader_is_not_seen_by_others(store: Store) -> None:
    with store.read() as one, store.read() as other:
        past_matrix(one, ["aum"], _before(10 * PERIOD))
        counts = [cursor.execute("SELECT count(*) FROM event").fetchall() for cursor in (one, other)]
    assert counts[0] == counts[1] != [(0,)]


def test_what_is_known_only_now_is_refused() -> None:
    known = {
        key: not_known_then(key, OWN)
        for key in (
            *("aum", "tenure_months", "aum_growth_90d", "calm"),
            *("risk_level", "consent_sms", "relation_count", "nope", "days_to_risk_expiry", "soon"),
        )
    }
    assert [key for key, problem in known.items() if problem is None] == list(known)[:4]
    for key in ("days_to_risk_expiry", "soon"):
        assert "present state" in str(known[key])
    assert "relation" in str(known["relation_count"])


Begin = Callable[[Schema], tuple[Training, Inputs]]


@pytest.fixture
def begin(store: Store) -> Iterator[Begin]:
    """Makes trainings on one consistent view of the store."""
    with store.read() as cursor:

        def make(parameters: Schema) -> tuple[Training, Inputs]:
            inputs = Inputs()
            return Training(cursor, parameters, NOW, 0, None, inputs, Pulse()), inputs

        yield make


def test_churn_is_learnt_before_it_is_validated(begin: Begin, world: World) -> None:
    wanted = ChurnParameters(horizon_days=PERIOD, features=FEATURES, top_share=0.15, least_probability=0.2)
    training, inputs = begin(wanted)
    found = churn.train(training)
    lost = {who for who, period in world.left.items() if period == 0}
    validated = inputs.kept["validate"]
    outcome = {int(o) - 1 for o in validated["ordinal"][validated["_outcome"] == 1]}
    assert outcome == lost
    assert len(inputs.kept["learn"]["ordinal"]) == world.size - sum(p >= 2 for p in world.left.values())
    assert found.metrics["auc"] > 0.8
    assert found.metrics["lift"] > 3
    assert found.metrics["brier"] < 0.8 * found.metrics["brier_reference"]
    listed = {int(o) - 1 for o in found.ordinals[found.labels == 1]} if found.labels is not None else set()
    assert len(listed & world.leaving) > 0.75 * len(listed)
    assert len(listed) <= np.ceil(0.15 * len(found.ordinals))
    rows = np.flatnonzero(np.isin(found.ordinals - 1, list(listed & world.leaving)))
    first = found.scores["reason_1"][rows]
    signs = [FEATURES.index(name) for name in ("login_count_30d", "complaint_count_180d", "last_login_days")]
    assert np.isin(first, signs).mean() > 0.9
    assert np.isnan(found.scores["reason_1"][found.labels == 0]).all()


def test_features_that_people_defined_are_learnt_from(begin: Begin, store: Store) -> None:
    """As they were then: the expression of the features of that moment."""
    wanted = ChurnParameters(horizon_days=PERIOD, features=["calm", "aum"], top_share=0.15)
    training, inputs = begin(wanted)
    found = churn.train(replace(training, catalogue=OWN))
    with store.read() as cursor:
        ordinals, then = past_matrix(cursor, ["login_count_30d", "complaint_count_180d"], _before(PERIOD))
    place = np.searchsorted(ordinals, inputs.kept["validate"]["ordinal"])
    calm = then["login_count_30d"][place] - 3 * then["complaint_count_180d"][place]
    assert np.array_equal(inputs.kept["validate"]["calm"], calm)
    assert found.metrics["auc"] > 0.8
    assert found.report["importance"][0]["name"] == {"zh": "平静", "en": "Calm"}
    assert {each.feature for each in found.groups[0].profile} == {"calm", "aum"}


def test_the_same_facts_give_the_same_run(begin: Begin) -> None:
    wanted = ChurnParameters(horizon_days=PERIOD, features=FEATURES)
    training, inputs = begin(wanted)
    first = churn.train(training)
    replayed = Inputs(dict(inputs.kept), replayed=True)
    again = churn.train(Training(training.cursor, wanted, NOW, 0, None, replayed, Pulse()))
    for name, column in first.scores.items():
        assert np.array_equal(column, again.scores[name], equal_nan=True)
    assert again.metrics == first.metrics


def test_without_history_it_says_so(begin: Begin) -> None:
    training, _ = begin(ChurnParameters(horizon_days=300, features=FEATURES))
    with pytest.raises(ValueError, match="at least 30"):
        churn.train(training)


def test_propensity_of_an_event(begin: Begin, world: World) -> None:
    wanted = PropensityParameters(event="login", horizon_days=PERIOD, features=FEATURES)
    training, inputs = begin(wanted)
    found = propensity.train(training)
    happened = {who for who, type_, age, _ in world.events if type_ == "login" and age < PERIOD}
    validated = inputs.kept["validate"]
    assert {int(o) - 1 for o in validated["ordinal"][validated["_outcome"] == 1]} == happened
    assert found.metrics["auc"] > 0.75
    assert len(found.ordinals) == world.size


def test_value_of_purchases(begin: Begin, world: World) -> None:
    wanted = ClvParameters(method="purchases", months=12, events=["transaction.posted"], margin=0.5)
    training, _ = begin(wanted)
    found = clv.train(training)
    assert set(found.scores) == {"clv", "alive", "purchases", "spend"}
    gone = np.isin(found.ordinals - 1, [who for who, period in world.left.items() if period >= 1])
    assert found.scores["alive"][gone].mean() < 0.5 < found.scores["alive"][~gone].mean()
    assert found.scores["clv"][gone].mean() < 0.3 * found.scores["clv"][~gone].mean()
    assert found.metrics["held_out_forecast"] == pytest.approx(found.metrics["held_out_made"], rel=0.5)


@pytest.fixture(scope="module")
def valued(store: Store, world: World) -> None:
    """Three months of contributions."""
    months = [day_of(NOW.today, age).replace(day=1) for age in (40, 70, 100)]
    rows = [
        {"home": who + 1, "month": month, "contribution": 10.0 * (who % 7)}
        for who in range(world.size)
        for month in months
    ]
    with store.write() as cursor:
        cursor.register("staged", pa.Table.from_pylist(rows))
        cursor.execute(
            "INSERT INTO value BY NAME SELECT home::INTEGER AS home, home::INTEGER AS ordinal, 'm' AS model, month, 1 AS edition,"
            " contribution::DECIMAL(20, 2) AS contribution, 0 AS income, 0 AS net_income, 0 AS capital_years FROM staged"
        )


def test_value_of_contribution(valued: None, begin: Begin, world: World) -> None:
    churning = {"horizon_days": PERIOD}
    wanted = ClvParameters(
        method="contribution", months=24, churn=churning, features=FEATURES, averaged_over=3
    )
    training, _ = begin(wanted)
    found = clv.train(training)
    assert found.scores["contribution"] == pytest.approx(10.0 * ((found.ordinals - 1) % 7))
    survival = found.scores["survival"]
    leaving = np.isin(found.ordinals - 1, list(world.leaving))
    staying = ~leaving & ~np.isin(found.ordinals - 1, list(world.left))
    assert survival[leaving].mean() < 0.6
    assert survival[staying].mean() > 0.9
    ratio = survival.astype(np.float64) * 1.08 ** (-1 / 12)
    by_hand = found.scores["contribution"] * sum(ratio**month for month in range(1, 25))
    assert found.scores["clv"] == pytest.approx(by_hand, rel=1e-4)
