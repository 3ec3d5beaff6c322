"""The hidden truth can be found again by honest means."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from deploy.demo.bank import Bank, answers, outcomes, true_effect
from deploy.demo.bank.truth import REACHED

START = datetime(2026, 10, 17, 0, 30, tzinfo=UTC)

NET_INFLOW = """
    select c.source_id,
      coalesce(sum(case when o.data->>'direction' = 'in' then 1 else -1 end
                   * (o.data->>'amount')::decimal(18,2)), 0)::double net
    from customers c left join outcomes o on o.subject = c.source_id and o.type = 'transaction.posted'
    group by 1 order by 1
"""

FEATURES = """
    with h as (select source_id, count(*) products,
        sum(case when product in ('mortgage', 'business-loan', 'credit-card') then 0 else balance end) aum
      from holdings where as_of = (select max(as_of) from holdings) group by 1),
    e as (select subject,
        count(*) filter (type = 'transaction.posted' and time > '2026-07-18') txns,
        sum((data->>'amount')::double) filter (type = 'transaction.posted' and time > '2026-07-18') txn_amount,
        count(*) filter (type = 'login' and time > '2026-09-16') logins
      from events group by 1)
    select c.source_id, ln(1 + greatest(coalesce(aum, 0), 0)) aum, coalesce(products, 0) products,
      ln(1 + coalesce(txns, 0)) txns, ln(1 + coalesce(txn_amount, 0)) txn_amount,
      ln(1 + coalesce(logins, 0)) logins, date_diff('month', customer_since, date '2026-10-16') tenure,
      coalesce(date_diff('year', birth_date, date '2026-10-16'), 45) age
    from customers c left join h using (source_id) left join e on e.subject = c.source_id order by 1
"""


def contacts_of(source_ids: pa.Array, disposition: list[str]) -> pa.Table:
    times = pa.array([START.replace(microsecond=684855)] * len(source_ids), pa.timestamp("us", "UTC"))
    return pa.table({"source_id": source_ids, "disposition": disposition, "time": times})


def net_inflow(bank: Bank, result: pa.Table) -> np.ndarray:
    with duckdb.connect() as connection:
        connection.register("customers", bank.customers)
        connection.register("outcomes", result)
        return np.array(connection.execute(NET_INFLOW).fetchnumpy()["net"])


def test_a_reached_customer_differs_by_exactly_the_hidden_effect(bank: Bank) -> None:
    everyone = bank.customers["source_id"].combine_chunks()
    called = outcomes(bank, contacts_of(everyone, ["accepted"] * len(everyone)), START, 1)
    left_alone = outcomes(bank, contacts_of(everyone, ["no_answer"] * len(everyone)), START, 1)
    gained = net_inflow(bank, called) - net_inflow(bank, left_alone)
    assert gained == pytest.approx(bank.truth["effect_net_inflow_30d"].to_numpy(), abs=0.01)


def test_outcomes_fall_in_the_window(bank: Bank) -> None:
    some = bank.customers["source_id"].combine_chunks().slice(0, 500)
    result = outcomes(bank, contacts_of(some, ["refused"] * 500), START, 1)
    assert pc.min(result["time"]).as_py() >= START
    assert (pc.max(result["time"]).as_py() - START).total_seconds() < 30 * 86_400
    assert pc.count_distinct(result["id"]).as_py() == result.num_rows
    history = pa.Table.from_batches(bank.events())["id"]
    assert not pc.any(pc.is_in(result["id"], history)).as_py()


def test_naive_difference_recovers_the_true_effect(bank: Bank) -> None:
    """Twenty random splits of the affluent: the mean estimate is the truth within Monte-Carlo error."""
    audience = bank.truth.filter(pc.field("archetype") == "affluent")["source_id"].combine_chunks()
    truth = true_effect(bank, audience)
    rows = pc.index_in(audience, bank.customers["source_id"].combine_chunks()).to_numpy()
    found = []
    for split in range(20):
        held_out = np.random.default_rng(split).random(len(audience)) < 0.3
        treated = audience.filter(pa.array(~held_out))
        calls = contacts_of(treated, answers(bank, treated).disposition.tolist())
        net = net_inflow(bank, outcomes(bank, calls, START, split))[rows]
        found.append(net[~held_out].mean() - net[held_out].mean())
    spread = np.std(found, ddof=1)
    assert truth > 5_000
    assert abs(np.mean(found) - truth) < 3 * spread / np.sqrt(len(found))


def test_answers_do_not_depend_on_who_else_is_called(bank: Bank) -> None:
    everyone = bank.customers["source_id"].combine_chunks()
    whole, part = answers(bank, everyone), answers(bank, everyone.slice(100, 50))
    assert whole.disposition[100:150].tolist() == part.disposition.tolist()
    reached = np.isin(whole.disposition, REACHED)
    expected = bank.truth["reach_probability"].to_numpy()
    assert reached.mean() == pytest.approx(expected.mean(), abs=0.02)
    responded = np.isin(whole.disposition, ["accepted", "interested"])[reached].mean()
    assert responded == pytest.approx(bank.truth["response_probability"].to_numpy().mean(), abs=0.02)
    assert (whole.minutes[~reached] == 1).all()


def test_kmeans_finds_the_archetypes(bank: Bank) -> None:
    with duckdb.connect() as connection:
        connection.register("customers", bank.customers)
        connection.register("holdings", pa.Table.from_batches(bank.holdings()))
        connection.register("events", pa.Table.from_batches(bank.events()))
        found = connection.execute(FEATURES).fetchnumpy()
    columns = ["aum", "products", "txns", "txn_amount", "logins", "tenure", "age"]
    matrix = StandardScaler().fit_transform(np.column_stack([found[c].astype(float) for c in columns]))
    labels = KMeans(6, n_init=10, random_state=0).fit_predict(matrix)
    assert adjusted_rand_score(bank.truth["archetype"].to_pylist(), labels) > 0.7
