"""Definitions whose parts do not fit are refused where they do not."""

import pytest

from services.evaluation.domain.catalogue import BUILT_IN
from services.evaluation.domain.definitions import definition_errors, kind_of_cells
from shared.contracts.metrics import MetricCreate, MetricKind

EVENTS = [{"type": "card.spent"}]
BALANCE = {"categories": ["demand"], "inflow_days": 30}


def metric(kind: str, source: dict[str, object], **more: object) -> MetricCreate:
    return MetricCreate.model_validate(
        {
            "key": "m",
            "name": {"zh": "指标", "en": "Metric"},
            "kind": kind,
            "window_days": 30,
            "source": source,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        (metric("sum", {}), ["/source/events"]),
        (metric("sum", {"events": EVENTS, "denominator": EVENTS}), ["/source/denominator"]),
        (metric("ratio", {"events": EVENTS}), ["/source/denominator"]),
        (
            metric("ratio", {"events": EVENTS, "denominator": [{"type": "card.spent", "sign": -1}]}),
            ["/source/denominator/0/sign"],
        ),
        (metric("balance", {}), ["/source/balance"]),
        (metric("balance", {"balance": BALANCE, "events": EVENTS}), ["/source/events"]),
        (metric("balance", {"balance": BALANCE}, currency="USD"), ["/currency"]),
        (metric("count", {"events": EVENTS, "balance": BALANCE}), ["/source/balance"]),
        (
            metric("count", {"events": [{"type": "card.spent", "counts": "amount"}]}),
            ["/source/events/0/counts"],
        ),
        (
            metric("retention", {"events": [{"type": "card.spent", "sign": -1}], "balance": BALANCE}),
            ["/source/events/0/sign"],
        ),
        (
            metric("retention", {"events": EVENTS, "balance": BALANCE}, windows=[20]),
            ["/source/balance/inflow_days"],
        ),
        (
            metric("proportion", {"events": EVENTS}, currency="CNY", covariate=True),
            ["/currency", "/covariate"],
        ),
        (metric("quantile", {"events": EVENTS}), ["/quantile"]),
        (metric("sum", {"events": EVENTS}, quantile=0.5), ["/quantile"]),
        (metric("quantile", {"events": EVENTS}, quantile=0.5, winsorise={"upper": 0.9}), ["/winsorise"]),
        (metric("sum", {"events": EVENTS}, winsorise={"upper": 1}), ["/winsorise"]),
        (metric("sum", {"events": EVENTS}, windows=[60, 30, 60]), ["/windows/1", "/windows/2"]),
    ],
)
def test_what_does_not_fit_is_named(wrong: MetricCreate, pointers: list[str]) -> None:
    assert [pointer for pointer, _ in definition_errors(wrong)] == pointers


@pytest.mark.parametrize("built_in", BUILT_IN.values(), ids=lambda metric: metric.key)
def test_built_in_metrics_are_sound(built_in: MetricCreate) -> None:
    assert definition_errors(built_in) == []


def test_only_a_quantile_has_no_cells() -> None:
    quantile = metric("quantile", {"events": EVENTS}, quantile=0.9)
    assert definition_errors(quantile) == []
    assert kind_of_cells(quantile) is None
    assert {kind_of_cells(each) for each in BUILT_IN.values()} <= {
        kind.value for kind in MetricKind if kind is not MetricKind.QUANTILE
    }
