"""Path models: known paths come back, wrong models are told, intervals come from other samples."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.evaluation.domain.factors import confirm
from services.evaluation.domain.measurement import distinct, heterotrait_ratio, reliability
from services.evaluation.domain.pls import Construct, NoFit, PathFit, bootstrap, check, estimate, fewest

MODEL = (
    Construct("speed", (0, 1, 2)),
    Construct("care", (3, 4, 5)),
    Construct("content", (6, 7, 8), after=("speed", "care")),
)


def simulated(
    paths: tuple[float, float], n: int = 20_000, noise: float = 0.2, seed: int = 3
) -> NDArray[np.float64]:
    """Nine indicators of three constructs; `paths` lead from the first two to the third."""
    rng = np.random.default_rng(seed)
    speed = rng.normal(size=n)
    care = 0.4 * speed + np.sqrt(1 - 0.4**2) * rng.normal(size=n)
    explained = paths[0] ** 2 + paths[1] ** 2 + 2 * 0.4 * paths[0] * paths[1]
    content = paths[0] * speed + paths[1] * care + np.sqrt(1 - explained) * rng.normal(size=n)
    return np.column_stack(
        [factor + noise * rng.normal(size=n) for factor in (speed, care, content) for _ in range(3)]
    )


def fitted(data: NDArray[np.float64], model: tuple[Construct, ...] = MODEL, **options: str) -> PathFit:
    fit = estimate(data, model, **options)  # type: ignore[arg-type]
    assert isinstance(fit, PathFit), fit
    return fit


@pytest.mark.parametrize("scheme", ["centroid", "path"])
def test_known_paths_come_back(scheme: str) -> None:
    fit = fitted(simulated((0.5, 0.3)), scheme=scheme)
    # Three indicators of little noise: scores correlate .993 with their constructs.
    assert fit.path("speed", "content") == pytest.approx(0.5, abs=0.02)
    assert fit.path("care", "content") == pytest.approx(0.3, abs=0.02)
    assert fit.path("content", "speed") == 0
    assert fit.correlations[0, 1] == pytest.approx(0.4, abs=0.02)
    assert fit.r_squared[2] == pytest.approx(0.5**2 + 0.3**2 + 2 * 0.4 * 0.15, abs=0.02)
    assert (fit.loadings[[0, 1, 2], 0] > 0.95).all()
    assert fit.loadings[3, 0] == 0


def test_a_negative_path_keeps_its_sign() -> None:
    assert fitted(simulated((0.6, -0.3))).path("care", "content") == pytest.approx(-0.3, abs=0.02)


def test_without_noise_the_paths_are_those_of_least_squares() -> None:
    data = simulated((0.5, 0.3), n=200, noise=0.0)
    standard = (data - data.mean(0)) / data.std(0)
    by_hand, *_ = np.linalg.lstsq(standard[:, [0, 3]], standard[:, 6], rcond=None)
    fit = fitted(data)
    assert [fit.path("speed", "content"), fit.path("care", "content")] == pytest.approx(
        list(by_hand), abs=1e-9
    )


def test_scores_have_variance_one_and_weights_stay_in_their_blocks() -> None:
    data = simulated((0.5, 0.3), n=500)
    fit = fitted(data)
    scores = ((data - data.mean(0)) / data.std(0)) @ fit.weights
    assert scores.std(0) == pytest.approx([1, 1, 1])
    assert np.corrcoef(scores, rowvar=False) == pytest.approx(fit.correlations)
    assert (fit.weights[3:, 0] == 0).all()


@pytest.mark.parametrize("scheme", ["centroid", "path"])
def test_a_construct_that_leads_nowhere_is_estimated_too(scheme: str) -> None:
    """Its correlation with the others is 10⁻⁵: the smallest weights have proportions like any others."""
    data = simulated((0.5, 0.3), n=400)
    standard = (data - data.mean(0)) / data.std(0)
    others = np.linalg.svd(standard[:, [0, 1, 2, 6, 7, 8]], full_matrices=False)[0]
    away = standard[:, 3:6] - (1 - 1e-5) * others @ (others.T @ standard[:, 3:6])
    alone = np.column_stack([data[:, :3], away, data[:, 6:]])
    fit = fitted(alone, scheme=scheme)
    assert abs(fit.path("care", "content")) < 1e-4
    assert ((alone - alone.mean(0)) / alone.std(0) @ fit.weights).std(0) == pytest.approx([1, 1, 1])


def test_two_blocks_of_mode_b_are_the_first_canonical_correlation() -> None:
    """Wold's identity: two constructs of mode B correlate as highly as any two sums of their indicators."""
    data = simulated((0.5, 0.3), n=400, noise=1.0)[:, 3:]
    model = (Construct("care", (0, 1, 2), "B"), Construct("content", (3, 4, 5), "B", after=("care",)))
    left, right = (np.linalg.qr(part - part.mean(0))[0] for part in (data[:, :3], data[:, 3:]))
    canonical = np.linalg.svd(left.T @ right, compute_uv=False)[0]
    assert fitted(data, model).path("care", "content") == pytest.approx(float(canonical), abs=1e-6)


def test_a_construct_of_higher_order_repeats_the_indicators_below_it() -> None:
    whole = (*MODEL[:2], Construct("whole", (0, 1, 2, 3, 4, 5), after=("speed", "care")))
    fit = fitted(simulated((0.5, 0.3)), whole)
    assert fit.r_squared[2] == pytest.approx(1, abs=0.001)
    assert fit.path("speed", "whole") == pytest.approx(fit.path("care", "whole"), abs=0.01)


def test_intervals_come_from_other_samples_and_repeat_with_their_seed() -> None:
    data = simulated((0.5, 0.3), n=300)
    fit = fitted(data)
    found = [bootstrap(data, MODEL, fit, replicates=100, seed=seed) for seed in (5, 5, 6)]
    first, again, other = (one.paths for one in found if not isinstance(one, NoFit))
    low, high = first[0][0, 2], first[1][0, 2]
    assert low < fit.path("speed", "content") < high
    # The textbook's standard error of that coefficient is .052: intervals of four of them.
    assert 0.12 < high - low < 0.30
    assert (first[0] == again[0]).all()
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ((MODEL[0], replace(MODEL[1], indicators=()), MODEL[2]), "no-indicators"),
        ((replace(MODEL[0], after=("content",)), *MODEL[1:]), "cyclic"),
        ((*MODEL[:2], replace(MODEL[2], after=("speed",))), "no-path"),
    ],
)
def test_models_that_cannot_be_estimated_are_told(model: tuple[Construct, ...], code: str) -> None:
    found = check(model, 9)
    assert isinstance(found, NoFit)
    assert found.code == code


def test_data_that_cannot_be_estimated_is_told() -> None:
    data = simulated((0.5, 0.3), n=100)
    flat, missing, twin = data.copy(), data.copy(), data.copy()
    flat[:, 4] = 3.0
    missing[7, 2] = np.nan
    twin[:, 3:6] = twin[:, 0:3]
    formative = (MODEL[0], replace(MODEL[1], mode="B"), MODEL[2])
    double = data.copy()
    double[:, 5] = double[:, 4]
    cases = [(data[:19], MODEL), (flat, MODEL), (missing, MODEL), (twin, MODEL), (double, formative)]
    found = [estimate(one, model) for one, model in cases]
    assert [one.code for one in found if isinstance(one, NoFit)] == [
        "too-few", "no-variance", "not-finite", "collinear", "collinear",
    ]  # fmt: skip
    assert fewest(MODEL) == 20
    assert fewest(formative) == 30


def test_reliability_by_hand() -> None:
    """Three indicators that all correlate .5: α = 3 · .5 / (1 + 2 · .5); loadings √(2/3)."""
    among = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    found = reliability(among, [np.sqrt(2 / 3)] * 3)
    assert found.alpha == pytest.approx(0.75)
    assert found.extracted == pytest.approx(2 / 3)
    assert found.composite == pytest.approx(6 / (6 + 1))
    assert found.lowest == found.alpha
    assert reliability(np.array([[1, -0.9], [-0.9, 1]]), [0.2, 0.2]).alpha < 0


def test_telling_constructs_apart_by_hand() -> None:
    among = np.array([[1, 0.5, 0.2, 0.2], [0.5, 1, 0.2, 0.2], [0.2, 0.2, 1, 0.32], [0.2, 0.2, 0.32, 1]])
    assert heterotrait_ratio(among, [0, 1], [2, 3]) == pytest.approx(0.5)
    assert heterotrait_ratio(np.eye(4), [0, 1], [2, 3]) is None
    assert distinct(0.5, [0.7, -0.6])
    assert not distinct(0.5, [0.71])


def test_factors_that_made_a_covariance_are_found_in_it() -> None:
    loadings, between = np.array([0.9, 0.8, 0.7, 0.6, 0.8, 0.5]), np.array([[1, -0.4], [-0.4, 1]])
    block = np.repeat([0, 1], 3)
    exact = np.outer(loadings, loadings) * between[np.ix_(block, block)]
    np.fill_diagonal(exact, 1.0)
    found = confirm(exact, 500, [(0, 1, 2), (3, 4, 5)])
    assert found is not None
    assert (found.chi2, found.freedom, found.cfi) == (pytest.approx(0, abs=1e-6), 8, pytest.approx(1))
    turned = found.loadings * np.sign(found.loadings[[0, 0, 0, 3, 3, 3]])
    assert turned == pytest.approx(loadings, abs=1e-4)
    # One indicator that belongs elsewhere: the model no longer fits.
    mixed = confirm(exact, 500, [(0, 1, 3), (2, 4, 5)])
    assert mixed is None or mixed.p_value < 1e-6
    assert confirm(exact, 500, [(0, 1)]) is None
    assert confirm(np.ones((6, 6)), 500, [(0, 1, 2), (3, 4, 5)]) is None
