"""What policies are learned from equals what a loop over the customers would find."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from services.evaluation.domain.catalogue import BUILT_IN, CONVERSION, NET_INFLOW
from services.evaluation.domain.policies import Dimension
from services.evaluation.domain.policy_value import FOLDS, Statistics
from services.evaluation.store import open_store
from services.evaluation.store.cells import tier_scheme
from services.evaluation.store.outcomes import Question
from services.evaluation.store.policies import policy_statistics
from shared.contracts.metrics import MetricCreate
from shared.ids import new_id
from tests.evaluation.policy_world import of_customers

CAMPAIGN = new_id()
START = datetime(2026, 6, 1, 1)  # noqa: DTZ001 - the store's times are UTC without a zone
N = 600
ARMS = ("", "call", "sms")
TIERS = ("", "gold", "silver")


@pytest.fixture(scope="module")
def lives() -> dict[str, np.ndarray]:
    """One row a customer: inflow before and after on balances of 1e8, and a propensity of his own."""
    rng = np.random.default_rng(8)
    call = rng.uniform(0.2, 0.6, N)
    p = np.column_stack([np.full(N, 0.2), call, 0.8 - call])
    arm = (rng.random(N)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    before = np.round(1e8 + rng.normal(0, 10, N), 2)
    return {
        "arm": arm,
        "p": p[np.arange(N), arm],
        "segment": rng.integers(0, 3, N),
        "tier": rng.integers(0, 3, N),
        "x": before,
        "y": np.round(before + rng.normal(0, 5, N) + 3 * (arm == 1), 2),
        "bought": rng.random(N) < 0.3,
    }


@pytest.fixture(scope="module")
def found(
    lives: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[UUID], dict[str, dict[Dimension, Statistics]]]:
    ids = [new_id() for _ in range(N)]
    file = Path(tmp_path_factory.mktemp("store")) / "e.duckdb"
    return ids, told(file, lives, ids, np.arange(N))


def told(
    file: Path, lives: dict[str, np.ndarray], ids: list[UUID], order: np.ndarray
) -> dict[str, dict[Dimension, Statistics]]:
    """Statistics of two metrics, by a store that was told of the customers in this order."""
    store = open_store(file, memory="512MB", threads=2)
    rows = pa.table(
        {
            "customer_id": pa.array([each.bytes for each in ids], pa.uuid()),
            "arm": [ARMS[code] for code in lives["arm"]],
            "propensity": lives["p"],
            "segment": [f"s{code}" for code in lives["segment"]],
            "branch": ["hq.b" if each.int % 2 else "hq.a" for each in ids],
            "tier": [TIERS[code] for code in lives["tier"]],
            "x": lives["x"],
            "y": lives["y"],
            "bought": lives["bought"],
        }
    ).take(order)
    with store._cursors.cursor() as cursor:
        cursor.register("life", rows)
        parameters = {"campaign": CAMPAIGN, "start": START}
        cursor.execute(
            "INSERT INTO exposure BY NAME SELECT $campaign::UUID AS campaign_id, uuid() AS contact_id, customer_id,"
            " arm, propensity, $start::TIMESTAMP AS assigned_at, 1 AS wave, segment, branch FROM life",
            parameters,
        )
        for name, days in (("x", -3), ("y", 3)):
            cursor.execute(
                "INSERT INTO event BY NAME SELECT customer_id, 'transaction.posted' AS type, $at::TIMESTAMP AS time,"
                f" {name} AS amount, 'in' AS direction FROM life",
                {"at": START + timedelta(days=days)},
            )
        cursor.execute(
            "INSERT INTO event BY NAME SELECT customer_id, 'product.opened' AS type, $at::TIMESTAMP AS time"
            " FROM life WHERE bought",
            {"at": START + timedelta(days=4)},
        )
        cursor.execute(
            "INSERT INTO tier BY NAME SELECT customer_id AS home, 'worth' AS scheme, 'value' AS kind, tier,"
            " $at::TIMESTAMP AS effective_at FROM life WHERE tier <> ''",
            {"at": START - timedelta(days=1)},
        )
        assert tier_scheme(cursor) == "worth"
        question = Question(CAMPAIGN, START.replace(tzinfo=UTC) + timedelta(days=31))
        seen = {
            metric.key: policy_statistics(cursor, question, metric) for metric in (NET_INFLOW, CONVERSION)
        }
    store.close()
    return seen


def expected(lives: dict[str, np.ndarray], ids: list[UUID], y: np.ndarray, cell: np.ndarray) -> Statistics:
    salted = [hashlib.md5(f"{each}{CAMPAIGN}".encode(), usedforsecurity=False).digest() for each in ids]
    fold = np.array([int.from_bytes(digest[8:], "little") % FOLDS for digest in salted])
    return of_customers(fold, cell, lives["arm"], y, lives["p"], ARMS)


@pytest.mark.parametrize("metric", [NET_INFLOW, CONVERSION], ids=lambda metric: metric.key)
def test_statistics_are_those_of_the_customers(
    lives: dict[str, np.ndarray],
    found: tuple[list[UUID], dict[str, dict[Dimension, Statistics]]],
    metric: MetricCreate,
) -> None:
    ids, seen = found
    if metric is CONVERSION:
        y = lives["bought"].astype(float)
        y = y - y.mean()
    else:
        dx, dy = lives["x"] - lives["x"].mean(), lives["y"] - lives["y"].mean()
        y = dy - (dx @ dy) / (dx @ dx) * dx
    branch = np.array([each.int % 2 for each in ids])
    for dimension, cell in (("segment", lives["segment"]), ("branch", branch), ("tier", lives["tier"])):
        of, wanted = seen[metric.key][dimension], expected(lives, ids, y, cell)
        assert of.arms == ARMS
        assert len(of.cells) == len(wanted.cells)
        assert dimension != "tier" or of.cells == TIERS
        for name in ("n", "mean_v", "m2_v", "mean_u", "m2_u", "c_vu"):
            assert getattr(of.of, name) == pytest.approx(getattr(wanted.of, name), rel=1e-6, abs=1e-6)


def test_statistics_are_the_same_to_the_last_digit_in_whatever_order_customers_came(
    lives: dict[str, np.ndarray],
    found: tuple[list[UUID], dict[str, dict[Dimension, Statistics]]],
    tmp_path: Path,
) -> None:
    ids, first = found
    again = told(tmp_path / "e.duckdb", lives, ids, np.random.default_rng(3).permutation(N))
    for metric, by_dimension in first.items():
        for dimension, statistics in by_dimension.items():
            other = again[metric][dimension]
            assert (other.cells, other.arms) == (statistics.cells, statistics.arms)
            for name in ("n", "mean_v", "m2_v", "mean_u", "m2_u", "c_vu"):
                assert np.array_equal(getattr(other.of, name), getattr(statistics.of, name)), name


def test_a_metric_that_is_no_mean_per_customer_judges_no_policy() -> None:
    ratio = next(
        metric for metric in BUILT_IN.values() if metric.kind.value in {"ratio", "retention", "quantile"}
    )
    assert policy_statistics(None, Question(CAMPAIGN, START.replace(tzinfo=UTC)), ratio) == {}  # type: ignore[arg-type]
