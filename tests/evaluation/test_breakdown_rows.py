"""The JSON of a breakdown, written in columns: the contract's, digit by digit that of each cell alone."""

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from services.evaluation.domain.breakdown import break_down, cells_of, with_q_values
from services.evaluation.domain.catalogue import NET_INFLOW
from services.evaluation.queries import documents
from services.evaluation.queries.breakdowns import breakdown
from shared.contracts.evaluation import Breakdown, BreakdownBy
from shared.contracts.events import Registration
from shared.errors import Unprocessable
from tests.evaluation.test_domain_cells import bank

CAMPAIGN, UNTIL = UUID(int=7), datetime(2026, 6, 1, tzinfo=UTC)
PLAN = Registration.model_validate(
    {"primary_metric": NET_INFLOW.key, "arms": [], "hold_out": 0.25, "salt": "rows", "alpha": 0.05}
)
DEEP: list[BreakdownBy] = ["segment", "tier", "channel", "branch", "manager"]


def asked(dimensions: list[BreakdownBy], top: int | None = None) -> Breakdown:
    table, _ = bank("sum")
    return Breakdown.model_validate_json(
        breakdown(CAMPAIGN, UNTIL, table, dimensions, PLAN, NET_INFLOW, top), strict=False
    )


@pytest.mark.parametrize("dimensions", [["segment"], ["manager"], ["channel"], DEEP], ids=",".join)
def test_every_row_is_that_of_its_cell(dimensions: list[BreakdownBy]) -> None:
    table, _ = bank("sum")
    found = asked(dimensions)
    cells = with_q_values(break_down(cells_of(table), dimensions, "sum", 0.05))
    assert found.cells == len(found.rows) == len(cells)
    for row, cell in zip(found.rows, cells, strict=True):
        alone = documents.breakdown_row(cell, NET_INFLOW)
        assert (row.values, row.n, row.n_hold_out) == (alone.values, alone.n, alone.n_hold_out)
        assert (row.mean, row.difference, row.ci) == (alone.mean, alone.difference, alone.ci)
        assert row.q_value == pytest.approx(alone.q_value, rel=1e-7, abs=1e-12)
        assert (row.error, row.error_code) == (alone.error, alone.error_code)
        assert (row.shrunk is not None) == (row.mean is not None and dimensions in (["segment"], ["manager"]))


def test_the_surest_rows_keep_what_is_said_of_all_cells() -> None:
    whole, some = asked(DEEP), asked(DEEP, top=5)
    assert some.cells == whole.cells > len(some.rows) == 5
    highest = max(row.p_value for row in some.rows if row.p_value is not None)
    assert sorted(row.p_value for row in whole.rows if row.p_value is not None)[4] == highest
    assert [row for row in whole.rows if row in some.rows] == some.rows
    one, of_all = asked(["manager"], top=1), asked(["manager"])
    assert one.heterogeneity == of_all.heterogeneity
    assert one.rows[0] in of_all.rows


def test_too_many_cells_say_what_to_ask_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    most = asked(DEEP).cells - 1
    monkeypatch.setattr("services.evaluation.queries.breakdowns.MOST_ROWS", most)
    with pytest.raises(Unprocessable, match=f"{most + 1} cells.*`top`") as refused:
        asked(DEEP)
    assert [error.pointer for error in refused.value.errors] == ["/query/by", "/query/top"]
    assert len(asked(DEEP, top=most).rows) == most


def test_numbers_are_rounded_together_as_one_by_one() -> None:
    rng = np.random.default_rng(4)
    halves = rng.integers(-(10**7), 10**7, 3_000) / np.repeat([8, 200, 1000, 2_000_000, 3, 7], 500)
    large = np.array([0.0, -0.0, 0.005, 0.015, 2.675, -1e-9, 1e12 + 0.125, 1e14 + 0.5, 123456789012.345])
    values = np.concatenate([halves, large, rng.normal(0, 1e6, 500)])
    told = [format(documents.number(value, NET_INFLOW), "f") for value in values.tolist()]
    assert documents.numbers(values, NET_INFLOW) == told
    assert documents.fines(values) == [format(documents.fine(value), "f") for value in values.tolist()]
