"""Two classics of structural equation models: the published fit of one, the published paths of the other."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.evaluation.domain.factors import confirm
from services.evaluation.domain.measurement import reliability
from services.evaluation.domain.pls import Construct, PathFit, PathIntervals, bootstrap, estimate


def table(file: Path, *columns: str) -> NDArray[np.float64]:
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    with file.open(encoding="utf-8", newline="") as lines:
        return np.array([[float(row[name]) for name in columns] for row in csv.DictReader(lines)])


def test_holzinger_and_swineford(data_sets: Path) -> None:
    """The reference that lavaan publishes (Rosseel 2012): visual, textual and speed factors of 301 pupils."""
    scores = table(
        data_sets / "sem_classics" / "holzinger_swineford39_data.csv", *[f"x{n}" for n in range(1, 10)]
    )
    found = confirm(np.cov(scores, rowvar=False, bias=True), len(scores), [(0, 1, 2), (3, 4, 5), (6, 7, 8)])
    assert found is not None
    assert found.chi2 == pytest.approx(85.3055, abs=5e-5)
    assert found.freedom == 24
    assert found.cfi == pytest.approx(0.9306, abs=5e-5)
    assert found.rmsea == pytest.approx(0.0923, abs=5e-5)
    model = (
        Construct("visual", (0, 1, 2)),
        Construct("textual", (3, 4, 5), after=("visual",)),
        Construct("speed", (6, 7, 8), after=("visual", "textual")),
    )
    fit = estimate(scores, model)
    assert isinstance(fit, PathFit)
    loadings = fit.loadings[fit.loadings != 0]
    # Least squares overstates loadings and understates correlations: it knows no measurement error.
    assert loadings.mean() > found.loadings.mean()
    assert (fit.correlations[np.tril_indices(3, -1)] < found.correlations[np.tril_indices(3, -1)]).all()
    among = np.corrcoef(scores, rowvar=False)
    measured = [
        reliability(among[part, part], loadings[part]) for part in (slice(3), slice(3, 6), slice(6, 9))
    ]
    # Cronbach's α of the three scales as published with semTools: only the texts are measured well.
    assert [one.alpha for one in measured] == pytest.approx([0.626, 0.883, 0.688], abs=0.005)


def test_political_democracy(data_sets: Path) -> None:
    """Bollen 1989, with the covariance solution that lavaan publishes: same signs, alike in size."""
    folder = data_sets / "sem_classics"
    values = table(folder / "pd_data.csv", "x1", "x2", "x3", *[f"y{n}" for n in range(1, 9)])
    model = (
        Construct("ind60", (0, 1, 2)),
        Construct("dem60", (3, 4, 5, 6), after=("ind60",)),
        Construct("dem65", (7, 8, 9, 10), after=("ind60", "dem60")),
    )
    fit = estimate(values, model)
    assert isinstance(fit, PathFit)
    with (folder / "pd_lavaan_params.csv").open(encoding="utf-8", newline="") as lines:
        published = {
            (row["lval"], row["op"], row["rval"]): float(row["Estimate"]) for row in csv.DictReader(lines)
        }
    standardised = standard_paths(published)
    found = {(one, other): fit.path(one, other) for one, other in standardised}
    assert all(np.sign(found[key]) == np.sign(value) for key, value in standardised.items())
    assert list(found.values()) == pytest.approx(list(standardised.values()), abs=0.15)
    assert np.corrcoef(list(found.values()), list(standardised.values()))[0, 1] > 0.95
    intervals = bootstrap(values, model, fit, replicates=200, seed=1)
    assert isinstance(intervals, PathIntervals)
    low, high = (end[1, 2] for end in intervals.paths)
    assert 0 < low < fit.path("dem60", "dem65") < high


def standard_paths(published: dict[tuple[str, str, str], float]) -> dict[tuple[str, str], float]:
    """Of the published solution, in standard deviations of the constructs."""
    b61, b51, b65 = (
        published[key] for key in (("dem60", "~", "ind60"), ("dem65", "~", "ind60"), ("dem65", "~", "dem60"))
    )
    left = {name: published[name, "~~", name] for name in ("ind60", "dem60", "dem65")}
    one = left["ind60"]
    two = b61**2 * one + left["dem60"]
    three = b51**2 * one + b65**2 * two + 2 * b51 * b65 * b61 * one + left["dem65"]
    return {
        ("ind60", "dem60"): b61 * (one / two) ** 0.5,
        ("ind60", "dem65"): b51 * (one / three) ** 0.5,
        ("dem60", "dem65"): b65 * (two / three) ** 0.5,
    }
