"""On the synthetic bank, whose hidden truth is known, the interval covers it as often as it says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from deploy.demo.bank import Bank, answers, generate, outcomes, true_effect
from services.evaluation.domain.effect import Effect, compare
from services.evaluation.domain.moments import of_values
from services.evaluation.domain.policy_value import FOLDS, Gain, gain
from tests.evaluation.policy_world import of_customers

START = datetime(2026, 10, 17, 0, 30, tzinfo=UTC)
BEFORE = START - timedelta(days=30)
SPLITS = 200
FEWEST = int(stats.binom.ppf(0.001, SPLITS, 0.95))

NET = """
    SELECT subject, sum(CASE WHEN data->>'direction' = 'in' THEN 1 ELSE -1 END * (data->>'amount')::DOUBLE) AS net
    FROM happened WHERE type = 'transaction.posted' AND time >= $since GROUP BY subject
"""


@pytest.fixture(scope="module")
def bank() -> Bank:
    return generate(6_000, seed=11, business_date=date(2026, 10, 16))


@pytest.fixture(scope="module")
def audience(bank: Bank) -> pa.Array:
    members = np.isin(bank.truth["archetype"].to_pylist(), ["affluent", "payroll"])
    return bank.customers["source_id"].combine_chunks().filter(pa.array(members))


@pytest.fixture(scope="module")
def lives(bank: Bank, audience: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Net inflow of each member when called, when left alone, and in the 30 days before."""
    answered = list(answers(bank, audience).disposition)
    called = outcomes(bank, contacts(audience, answered), START, 1)
    alone = outcomes(bank, contacts(audience.slice(0, 0), []), START, 1)
    history = pa.Table.from_batches(bank.events())
    return net(called, audience, START), net(alone, audience, START), net(history, audience, BEFORE)


def contacts(members: pa.Array, dispositions: list[str]) -> pa.Table:
    times = pa.array([START] * len(members), pa.timestamp("us", "UTC"))
    return pa.table({"source_id": members, "disposition": pa.array(dispositions, pa.string()), "time": times})


def net(happened: pa.Table, members: pa.Array, since: datetime) -> np.ndarray:
    with duckdb.connect() as connection:
        connection.register("happened", happened)
        found = connection.execute(NET, {"since": since}).fetchall()
    by_member = dict(found)
    return np.array([by_member.get(member, 0.0) for member in members.to_pylist()])


def splits(members: int) -> Iterator[np.ndarray]:
    for seed in range(SPLITS):
        yield np.random.default_rng(seed).random(members) < 0.8


def test_the_interval_covers_the_hidden_effect_over_two_hundred_splits(
    lives: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    called, alone, before = lives
    truth = float((called - alone).mean())
    covered = 0
    for treated in splits(called.size):
        effect = compare(
            of_values(called[treated], before[treated]),
            of_values(alone[~treated], before[~treated]),
            "sum",
            0.05,
        )
        assert isinstance(effect, Effect)
        covered += effect.interval[0] <= truth <= effect.interval[1]
    assert covered >= FEWEST


def test_the_value_of_another_policy_covers_its_hidden_value_over_sixty_splits(
    bank: Bank, lives: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    """Who receives a salary would be left alone, the affluent be called as they were."""
    called, alone, before = lives
    kinds = np.array(bank.truth["archetype"].to_pylist())
    payroll = (kinds[np.isin(kinds, ["affluent", "payroll"])] == "payroll").astype(int)
    truth = float(((alone - called) * payroll).mean())
    fold = np.random.default_rng(0).integers(0, FOLDS, called.size)
    call, leave = [1.0, 0.0], [0.0, 1.0]
    policies = np.tile(np.array([call, leave]), (FOLDS, 1, 1))
    covered = 0
    for treated in islice(splits(called.size), 60):
        lived = np.where(treated, called, alone) - before
        seen = of_customers(
            fold, payroll, 1 - treated, lived - lived.mean(), np.where(treated, 0.8, 0.2), ("call", "")
        )
        found = gain(seen, policies, np.array(call))
        assert isinstance(found, Gain)
        low, high = found.interval(0.05)
        covered += low <= truth <= high
    assert covered >= stats.binom.ppf(0.001, 60, 0.95)


def test_the_realised_effect_is_the_expected_one_within_chance(
    bank: Bank, audience: pa.Array, lives: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    called, alone, _ = lives
    change = called - alone
    assert float(change.mean()) == pytest.approx(
        true_effect(bank, audience), abs=4 * float(change.std() / change.size**0.5)
    )


def _one_bank(seed: int) -> tuple[bool, float, float]:
    """A bank of its own, one campaign with its own randomisation: was the hidden effect inside?"""
    bank = generate(1_000, seed=seed, business_date=date(2026, 10, 16))
    members = np.isin(bank.truth["archetype"].to_pylist(), ["affluent", "payroll"])
    audience = bank.customers["source_id"].combine_chunks().filter(pa.array(members))
    treated = np.random.default_rng(seed).random(len(audience)) < 0.7
    called = audience.filter(pa.array(treated))
    lived = outcomes(bank, contacts(called, list(answers(bank, called).disposition)), START, seed)
    values = net(lived, audience, START)
    effect = compare(of_values(values[treated]), of_values(values[~treated]), "sum", 0.05)
    assert isinstance(effect, Effect)
    truth = true_effect(bank, audience)
    return effect.interval[0] <= truth <= effect.interval[1], effect.difference - truth, effect.standard_error


def test_the_interval_covers_the_hidden_effect_of_two_hundred_banks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [_one_bank(seed) for seed in range(SPLITS)]
    covered = sum(inside for inside, _, _ in found)
    bias = float(np.mean([error / spread for _, error, spread in found]))
    with capsys.disabled():
        print(f"\ncovered {covered} of {SPLITS}; mean error {bias:+.2f} standard errors")
    assert covered >= FEWEST
    assert abs(bias) < 4 / SPLITS**0.5
