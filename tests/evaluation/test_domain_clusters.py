"""Where managers or branches were drawn: against the definition written out, and textbook special cases."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from services.evaluation.domain.breakdown import Cell, compare_cells
from services.evaluation.domain.cluster import (
    Clustered,
    ClusterMoments,
    compare_cluster_means,
    compare_clusters,
    intraclass,
    of_units,
)
from services.evaluation.domain.comparison import MetricKind
from services.evaluation.domain.effect import Effect, NoEffect, compare
from services.evaluation.domain.moments import of_values
from services.evaluation.domain.samples import Quantiles


def effect_of(found: Effect | NoEffect) -> Effect:
    assert isinstance(found, Effect)
    return found


def clustered(found: Clustered | NoEffect) -> Clustered:
    assert isinstance(found, Clustered)
    return found


def of_unequal_clusters(rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, cluster and who is treated: 9 clusters of 3 to 40 units against 7."""
    sizes = rng.integers(3, 41, 16)
    cluster = np.repeat(np.arange(16), sizes)
    return rng.normal(0, 1, 16)[cluster] + rng.normal(0, 2, cluster.size), cluster, cluster < 9


def bell_mccaffrey(y: np.ndarray, cluster: np.ndarray, treated: np.ndarray) -> tuple[float, float, float]:
    """Coefficient, CR2 error and degrees of freedom by the definition, with the matrices written out."""
    design = np.column_stack([np.ones(y.size), treated])
    bread = np.linalg.inv(design.T @ design)
    residual_maker = np.eye(y.size) - design @ bread @ design.T
    residuals = residual_maker @ y
    variance, columns = 0.0, []
    for each in np.unique(cluster):
        rows = np.flatnonzero(cluster == each)
        values, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        weights = root @ design[rows] @ bread[:, 1]
        variance += float(weights @ residuals[rows]) ** 2
        columns.append(residual_maker[:, rows] @ weights)
    products = np.column_stack(columns).T @ np.column_stack(columns)
    freedom = float(np.trace(products) ** 2 / np.sum(products**2))
    return float((bread @ design.T @ y)[1]), sqrt(variance), freedom


def test_cr2_is_that_of_the_matrices_written_out() -> None:
    y, cluster, treated = of_unequal_clusters(np.random.default_rng(10))
    found = clustered(
        compare_clusters(
            of_units(y[treated], cluster[treated]), of_units(y[~treated], cluster[~treated]), 0.05
        )
    )
    coefficient, error, freedom = bell_mccaffrey(y, cluster, treated)
    assert found.difference == pytest.approx(coefficient, rel=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.freedom == pytest.approx(freedom, rel=1e-9)
    margin = stats.t.ppf(0.975, freedom) * error
    assert found.interval == pytest.approx((coefficient - margin, coefficient + margin), rel=1e-9)
    assert (found.clusters, found.clusters_control, found.method) == (9, 7, "cr2")


def test_of_equal_clusters_both_methods_are_students_t_on_their_means() -> None:
    rng = np.random.default_rng(13)
    y = rng.normal(0, 2, (2, 12, 30)) + rng.normal(0, 1, (2, 12, 1))
    names = np.repeat([f"m{i}" for i in range(12)], 30)
    groups = [of_units(side.ravel(), names) for side in y]
    test = stats.ttest_ind(*y.mean(axis=2))
    robust = clustered(compare_clusters(groups[0], groups[1], 0.05))
    means = clustered(compare_cluster_means(groups[0], groups[1], 0.05))
    assert robust.freedom == pytest.approx(22)
    assert robust.p_value == pytest.approx(test.pvalue, rel=1e-9)
    assert means.standard_error == pytest.approx(robust.standard_error, rel=1e-9)
    assert means.p_value == pytest.approx(stats.ttest_ind(*y.mean(axis=2), equal_var=False).pvalue, rel=1e-9)
    assert means.method == "cluster-means"


def test_the_intraclass_correlation_is_that_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(14)
    y = rng.normal(0, 1, (2, 8, 25)) + rng.normal(0, 0.7, (2, 8, 1))
    groups = [of_units(side.ravel(), np.repeat(np.arange(8), 25)) for side in y]
    between = 25 * sum(side.mean(axis=1).var(ddof=1) for side in y) / 2
    within = float(np.mean(y.var(axis=2, ddof=1)))
    expected = (between - within) / (between + 24 * within)
    assert intraclass(groups[0], groups[1]) == pytest.approx(expected, rel=1e-9)
    found = clustered(compare_clusters(groups[0], groups[1], 0.05))
    assert found.icc == pytest.approx(expected, rel=1e-9)
    assert found.design_effect == pytest.approx(1 + 24 * expected, rel=1e-9)


def test_clusters_of_one_customer_are_customers() -> None:
    rng = np.random.default_rng(15)
    y, z = rng.gamma(2, 2, 90), rng.gamma(2, 3, 60)
    found = clustered(compare_clusters(of_units(y, np.arange(90)), of_units(z, np.arange(60)), 0.05))
    plain = effect_of(compare(of_values(y), of_values(z), "sum", 0.05))
    assert found.standard_error == pytest.approx(plain.standard_error, rel=1e-9)
    assert found.icc is None
    assert found.design_effect is None


def test_a_covariate_narrows_the_interval_of_clusters() -> None:
    rng = np.random.default_rng(16)

    def draw(clusters: int) -> ClusterMoments:
        names = np.repeat(np.arange(clusters), 40)
        before = rng.lognormal(3, 0.6, names.size) + rng.normal(0, 6, clusters)[names]
        return of_units(0.9 * before + rng.normal(0, 4, names.size), names, before)

    treated, control = draw(20), draw(15)
    adjusted = clustered(compare_clusters(treated, control, 0.05))
    alone, others = (ClusterMoments(each.n, each.mean, each.m2) for each in (treated, control))
    plain = clustered(compare_clusters(alone, others, 0.05))
    assert (adjusted.method, plain.method) == ("cr2+cuped", "cr2")
    assert adjusted.standard_error < 0.5 * plain.standard_error


@pytest.mark.parametrize(
    "sizes", [([30], [20, 20, 20]), ([30, 30], [20, 20]), ([900, 5, 5, 5, 5], [900, 5, 5, 5])]
)
def test_few_or_very_unequal_clusters_are_no_effect(sizes: tuple[list[int], list[int]]) -> None:
    rng = np.random.default_rng(17)
    treated, control = (of_units(rng.normal(0, 1, sum(n)), np.repeat(np.arange(len(n)), n)) for n in sizes)
    found = compare_clusters(treated, control, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "too-few-clusters"
    assert f"{len(sizes[0])} clusters against {len(sizes[1])}" in found.detail


@pytest.mark.parametrize("method", [compare_clusters, compare_cluster_means])
def test_clusters_without_any_variance_are_no_effect(method: Callable[..., Clustered | NoEffect]) -> None:
    same = of_units(np.full(60, 0.1), np.repeat(np.arange(6), 10))
    found = method(same, same, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "no-variance"


@pytest.mark.parametrize("method", [compare_clusters, compare_cluster_means])
def test_the_unit_of_the_outcome_does_not_matter(method: Callable[..., Clustered | NoEffect]) -> None:
    """Also where the square of a variance is no number any more."""
    y, cluster, treated = of_unequal_clusters(np.random.default_rng(20))
    small, large = (
        clustered(
            method(
                of_units(y[treated] * unit, cluster[treated]),
                of_units(y[~treated] * unit, cluster[~treated]),
                0.05,
            )
        )
        for unit in (1.0, 1e99)
    )
    assert large.freedom == pytest.approx(small.freedom, rel=1e-9)
    assert large.p_value == pytest.approx(small.p_value, rel=1e-9)
    assert large.difference == pytest.approx(small.difference * 1e99, rel=1e-9)


@pytest.mark.parametrize("kind", ["sum", "proportion", "ratio"])
def test_cells_of_drawn_managers_are_compared_by_manager(kind: MetricKind) -> None:
    """However the managers' customers fall into cells of other dimensions."""
    rng = np.random.default_rng(19)
    manager = np.repeat([f"m{i:02}" for i in range(30)], 40)
    arm = np.repeat(["call"] * 18 + [""] * 12, 40)
    segment = rng.choice(["a", "b", "c"], manager.size)
    x = rng.poisson(5, manager.size) + 1.0
    y = np.repeat(rng.normal(0, 0.3, 30), 40) * x + 0.5 * x + rng.normal(0, 1, manager.size)
    y = (y > 2).astype(np.float64) if kind == "proportion" else y
    x = np.zeros_like(x) if kind == "proportion" else x
    cells = [
        Cell(arm[of][0], group, "hq", of_values(y[of], x[of]), manager=name, cluster=name)
        for name in np.unique(manager)
        for group in "abc"
        for of in [(manager == name) & (segment == group)]
        if of.any()
    ]
    treated, control = ([cell for cell in cells if bool(cell.arm) is side] for side in (True, False))
    effect = effect_of(compare_cells(treated, control, kind, 0.05))
    sides = [arm == "call", arm == ""]
    if kind == "ratio":
        rates = [y[side].sum() / x[side].sum() for side in sides]
        z = [r + (y[side] - r * x[side]) / x[side].mean() for r, side in zip(rates, sides, strict=True)]
        mine, theirs = (of_units(part, manager[side]) for part, side in zip(z, sides, strict=True))
    else:
        mine, theirs = (of_units(y[side], manager[side], x[side]) for side in sides)
    wanted = clustered(compare_clusters(mine, theirs, 0.05))
    assert effect.difference == pytest.approx(wanted.difference, rel=1e-9)
    assert effect.interval == pytest.approx(wanted.interval, rel=1e-9)
    assert effect.clustering is not None
    assert (effect.clustering.clusters, effect.clustering.clusters_control) == (18, 12)
    assert effect.clustering.icc == pytest.approx(wanted.icc, rel=1e-9)
    alone = [[replace(cell, cluster="") for cell in side] for side in (treated, control)]
    by_customer = compare_cells(alone[0], alone[1], kind, 0.05)
    assert effect.standard_error > 1.3 * effect_of(by_customer).standard_error


def test_quantiles_are_not_compared_where_managers_were_drawn() -> None:
    rng = np.random.default_rng(23)
    values = {"call": np.sort(rng.gamma(2, 3, 200)), "": np.sort(rng.gamma(2, 2, 100))}
    assert isinstance(Quantiles(0.5, values).effect(None, 0.05), Effect)
    found = Quantiles(0.5, values, "manager").effect(None, 0.05)
    assert isinstance(found, NoEffect)
    assert found.code == "clustered"
