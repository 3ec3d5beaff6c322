"""`analyse` against independent computations: SciPy, formulas written out here, and published numbers."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from services.evaluation.queries.analysis import analyse
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis, MetricAnalysis

COLUMNS = Mapping[str, Sequence[object]]


def analysed(folder: Path, columns: COLUMNS, **options: object) -> Analysis:
    """Of a Parquet file of these columns; `arm` against `a` in `y` unless said otherwise."""
    file = folder / "table.parquet"
    pq.write_table(pa.table({name: np.asarray(values) for name, values in columns.items()}), file)
    asked = {"arm": "arm", "control": "a", "metrics": ["y"], **options}
    return analyse(file, AnalyseOptions.model_validate(asked))


def only(answer: Analysis) -> MetricAnalysis:
    assert len(answer.metrics) == 1
    return answer.metrics[0]


def with_sums(n: int, total: float, squares: float) -> np.ndarray:
    """`n` values of that sum and sum of squares: two of them, as often as each other, and zeros' mean."""
    mean, spread = total / n, squares - total**2 / n
    half = n // 2
    step = math.sqrt(spread / (2 * half))
    values = np.full(n, mean)
    values[:half] += step
    values[half : 2 * half] -= step
    return values


def arms(**values: Sequence[float]) -> dict[str, np.ndarray]:
    return {
        "arm": np.concatenate([np.full(len(each), arm) for arm, each in values.items()]),
        "y": np.concatenate([np.asarray(each, dtype=np.float64) for each in values.values()]),
    }


def test_published_effect_of_growthbook(tmp_path: Path) -> None:
    row = only(
        analysed(tmp_path, arms(a=with_sums(3407, 1396.87, 52377.9767), b=with_sums(3461, 2422.7, 134698.29)))
    )
    assert row.difference == pytest.approx(0.29, abs=5e-6)
    assert row.ci == pytest.approx((0.04538, 0.53462), abs=5e-6)
    assert row.p_value == pytest.approx(0.02016, abs=5e-6)
    assert row.relative == pytest.approx(0.70732, abs=5e-6)
    assert row.relative_ci == pytest.approx((-0.03526, 1.44989), abs=5e-6)
    assert row.relative_p_value == pytest.approx(0.06191, abs=5e-6)
    assert row.method == "welch"


def test_published_interval_of_newcombe(tmp_path: Path) -> None:
    row = only(analysed(tmp_path, arms(b=[1] * 56 + [0] * 14, a=[1] * 48 + [0] * 32)))
    assert row.ci == pytest.approx((0.05243, 0.33387), abs=5e-6)
    assert (row.method, row.kind, row.mean, row.mean_control) == ("newcombe", "proportion", 0.8, 0.6)
    pooled = 104 / 150
    z = 0.2 / math.sqrt(pooled * (1 - pooled) * (1 / 70 + 1 / 80))
    assert row.p_value == pytest.approx(2 * stats.norm.sf(z), rel=1e-12)
    assert row.se == pytest.approx(math.sqrt(0.8 * 0.2 / 70 + 0.6 * 0.4 / 80), rel=1e-12)


def test_welch_equals_scipy_and_the_common_difference_survives_large_balances(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    low, high = rng.normal(0, 10, 700), rng.normal(1, 14, 500)
    plain = only(analysed(tmp_path, arms(a=low, b=high)))
    test = stats.ttest_ind(high, low, equal_var=False)
    interval = test.confidence_interval(0.95)
    assert plain.p_value == pytest.approx(test.pvalue, rel=1e-10)
    assert plain.ci == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert plain.difference == pytest.approx(high.mean() - low.mean(), rel=1e-12)
    # The same at a level of 1e8: what the values lose there, they lose before anybody computes.
    lifted = {"a": low + 1e8, "b": high + 1e8}
    exact = {arm: [Fraction(float(value)) for value in values] for arm, values in lifted.items()}
    mean = {arm: sum(values) / len(values) for arm, values in exact.items()}
    variance = {
        arm: sum((value - mean[arm]) ** 2 for value in values) / (len(values) - 1) / len(values)
        for arm, values in exact.items()
    }
    row = only(analysed(tmp_path, arms(**lifted)))
    assert row.difference == pytest.approx(float(mean["b"] - mean["a"]), rel=1e-12)
    assert row.se == pytest.approx(math.sqrt(variance["a"] + variance["b"]), rel=1e-12)
    assert row.relative == pytest.approx(float((mean["b"] - mean["a"]) / mean["a"]), rel=1e-12)


def test_cells_of_different_levels_keep_their_digits(tmp_path: Path) -> None:
    """One dimension's values lie at 1e8, the other's at 100: no common shift suits both."""
    rng = np.random.default_rng(3)
    n = 400
    arm = np.repeat(["a", "b"], n)
    level = np.tile(np.repeat(["private", "retail"], n // 2), 2)
    y = rng.normal(0, 10, 2 * n) + np.where(level == "private", 1e8, 100.0)
    answer = analysed(tmp_path, {"arm": arm, "y": y, "level": level}, dimensions=["level"])
    for cell in answer.dimensions[0].cells:
        mine, theirs = (
            [Fraction(float(value)) for value in y[(arm == name) & (level == cell.value)]] for name in "ba"
        )
        means = [sum(each) / len(each) for each in (mine, theirs)]
        errors = [
            sum((value - mean) ** 2 for value in each) / (len(each) - 1) / len(each)
            for each, mean in zip((mine, theirs), means, strict=True)
        ]
        assert cell.se == pytest.approx(math.sqrt(sum(errors)), rel=1e-9)
        assert cell.raw == pytest.approx(float(means[0] - means[1]), rel=1e-7)


def test_cuped_is_the_regression_within_arms(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    n = 900
    x, z = rng.normal(50, 9, n), rng.lognormal(0, 1, n)
    arm = rng.choice(["a", "b"], n)
    y = 2 * x - z + rng.normal(0, 5, n) + 0.7 * (arm == "b")
    row = only(analysed(tmp_path, {"arm": arm, "y": y, "x": x, "z": z}, covariates=["x", "z"]))
    design = np.column_stack([arm == "b", arm == "a", x, z]).astype(float)
    solved, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert row.cuped is not None
    assert row.cuped.applied
    assert row.cuped.theta == pytest.approx({"x": solved[2], "z": solved[3]}, rel=1e-9)
    assert row.cuped.difference == pytest.approx(solved[0] - solved[1], rel=1e-9)
    assert row.cuped.se is not None
    assert row.se is not None
    assert row.cuped.se == pytest.approx(row.se * math.sqrt(1 - row.cuped.variance_reduction), rel=0.02)
    rest = y - design @ solved
    covariance = rest @ rest / (n - 4) * np.linalg.inv(design.T @ design)
    ancova = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert row.cuped.se == pytest.approx(ancova, rel=0.02)
    plain = stats.ttest_ind(y[arm == "b"], y[arm == "a"], equal_var=False)
    assert row.p_value == pytest.approx(plain.pvalue, rel=1e-9)


def test_a_missing_covariate_takes_the_mean_and_nobody_leaves(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    n = 400
    x = rng.normal(50, 9, n)
    arm = rng.choice(["a", "b"], n)
    y = x + rng.normal(0, 5, n)
    x[:40] = np.nan
    answer = analysed(tmp_path, {"arm": arm, "y": y, "x": x}, covariates=["x"])
    row = only(answer)
    filled = np.where(np.isnan(x), np.nanmean(x), x)
    whole = only(analysed(tmp_path, {"arm": arm, "y": y, "x": filled}, covariates=["x"]))
    assert row.n + row.n_control == n
    assert row.cuped is not None
    assert whole.cuped is not None
    assert row.cuped.difference == pytest.approx(whole.cuped.difference, rel=1e-9)
    assert any("replaced by the mean" in warning for warning in answer.warnings)


def test_clusters_equal_the_sandwich_written_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    sizes = rng.integers(5, 40, 24)
    cluster = np.repeat(np.arange(24), sizes)
    arm = np.where(cluster % 2 == 0, "a", "b")
    y = rng.normal(0, 1, len(cluster)) + rng.normal(0, 1, 24)[cluster]
    answer = analysed(tmp_path, {"arm": arm, "y": y, "branch": cluster}, cluster="branch")
    row = only(answer)
    variance = 0.0
    for name in "ab":
        own = arm == name
        total, mean = own.sum(), y[own].mean()
        for number in np.unique(cluster[own]):
            members = y[cluster == number] - mean
            variance += members.sum() ** 2 / (1 - len(members) / total) / total**2
    assert row.se == pytest.approx(math.sqrt(variance), rel=1e-10)
    assert row.method == "cr2"
    assert row.cluster is not None
    assert (row.cluster.clusters, row.cluster.clusters_control) == (12, 12)
    assert row.cluster.design_effect is not None
    assert row.cluster.design_effect > 5
    naive = stats.ttest_ind(y[arm == "b"], y[arm == "a"], equal_var=False)
    assert row.p_value is not None
    assert row.p_value > naive.pvalue
    assert (answer.srm.counted, answer.srm.observed) == ("clusters", {"a": 12, "b": 12})
    means = np.array([y[cluster == number].mean() for number in range(24)])
    welch = stats.ttest_ind(means[1::2], means[::2], equal_var=False)
    once = row.cluster.means
    assert once is not None
    assert once.difference == pytest.approx(means[1::2].mean() - means[::2].mean(), rel=1e-10)
    assert (once.p_value, once.df) == pytest.approx((welch.pvalue, welch.df), rel=1e-9)
    assert once.ci == pytest.approx(tuple(welch.confidence_interval()), rel=1e-9)


def test_a_ratio_is_of_sums_by_the_delta_method(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    n = 600
    arm = rng.choice(["a", "b"], n)
    orders = rng.poisson(3, n) + 1.0
    spent = orders * rng.lognormal(3, 0.5, n)
    row = only(analysed(tmp_path, {"arm": arm, "spent": spent, "orders": orders}, metrics=["spent/orders"]))
    value, variance = {}, {}
    for name in "ab":
        s, o = spent[arm == name], orders[arm == name]
        value[name] = s.sum() / o.sum()
        variance[name] = np.var(s - value[name] * o, ddof=1) / len(s) / o.mean() ** 2
    assert (row.kind, row.method) == ("ratio", "delta")
    assert row.difference == pytest.approx(value["b"] - value["a"], rel=1e-10)
    assert row.se == pytest.approx(math.sqrt(variance["a"] + variance["b"]), rel=1e-10)


def test_a_column_of_that_very_name_comes_before_a_ratio(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    table = arms(a=rng.normal(0, 1, 30), b=rng.normal(0, 1, 30))
    named = {
        "arm": table["arm"],
        "y/x": table["y"],
        "y": table["y"] * 7,
        "x": np.ones(60),
        "y:p50": table["y"] + 1,
    }
    answer = analysed(tmp_path, named, metrics=["y/x", "y:p50", "y:p90"])
    assert [row.kind for row in answer.metrics] == ["mean", "mean", "quantile"]
    assert answer.metrics[2].mean == pytest.approx(np.quantile(table["y"][30:] * 7, 0.9))


def test_sample_ratio_as_published(tmp_path: Path) -> None:
    table = {"arm": ["a"] * 5000 + ["b"] * 5200, "y": np.arange(10_200.0)}
    split = analysed(tmp_path, table, split={"a": 0.5, "b": 0.5, "c": 0}).srm
    assert (round(split.p_value, 4), split.df, split.alarm) == (0.0477, 1, False)
    equal = analysed(tmp_path, table).srm
    assert equal.p_value == split.p_value
    told = analysed(tmp_path, table, split={"a": 1, "c": 1, "b": 0})
    assert told.srm.undeclared == {"b": 5200}
    assert told.srm.alarm
    unequal = analysed(
        tmp_path, {"arm": ["a"] * 200 + ["b"] * 820, "y": np.arange(1020.0)}, split={"a": 20, "b": 80}
    )
    assert unequal.srm.p_value == pytest.approx(stats.chisquare([200, 820], [204, 816]).pvalue, rel=1e-12)


def test_sample_ratio_of_a_large_experiment(tmp_path: Path) -> None:
    arm = pa.DictionaryArray.from_arrays(
        np.repeat(np.array([0, 1], dtype=np.int8), [821_588, 815_482]), ["a", "b"]
    )
    pq.write_table(pa.table({"arm": arm, "y": np.tile([0.0, 1.0], 818_535)}), tmp_path / "t.parquet")
    asked = AnalyseOptions(arm="arm", control="a", metrics=["y"])
    assert f"{analyse(tmp_path / 't.parquet', asked).srm.p_value:.2e}" == "1.82e-06"


def test_dimensions_are_tested_together_and_shrunk(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    n = 4000
    arm, tier, noise = (
        rng.choice(["a", "b"], n),
        rng.choice(["1", "2", "3", "4"], n),
        rng.choice(["x", "y"], n),
    )
    y = rng.normal(0, 1, n) + np.where((arm == "b") & (tier == "4"), 1.0, 0.0)
    answer = analysed(
        tmp_path, {"arm": arm, "y": y, "tier": tier, "noise": noise}, dimensions=["tier", "noise"]
    )
    found = {one.dimension: one for one in answer.dimensions}
    effects, weights = [], []
    for cell in found["tier"].cells:
        mine, theirs = (y[(arm == name) & (tier == cell.value)] for name in "ba")
        effect = mine.mean() - theirs.mean()
        weights.append(1 / (mine.var(ddof=1) / len(mine) + theirs.var(ddof=1) / len(theirs)))
        effects.append(effect)
        assert (cell.n, cell.n_control) == (len(mine), len(theirs))
        assert cell.raw == pytest.approx(effect, rel=1e-9)
        assert cell.shrunk is not None
        assert cell.ci is not None
        assert cell.ci[0] < cell.shrunk < cell.ci[1]
    pooled = np.dot(weights, effects) / np.sum(weights)
    q = np.dot(weights, (np.array(effects) - pooled) ** 2)
    assert found["tier"].q == pytest.approx(q, rel=1e-9)
    assert found["tier"].p_value == pytest.approx(stats.chi2.sf(q, 3), rel=1e-6)
    p_values = [found[name].p_value for name in ("tier", "noise")]
    assert [found[name].q_value for name in ("tier", "noise")] == pytest.approx(
        list(stats.false_discovery_control(p_values)), rel=1e-9
    )
    most = max(found["tier"].cells, key=lambda cell: cell.raw or 0)
    assert most.value == "4"
    assert most.shrunk is not None
    assert most.raw is not None
    assert found["tier"].pooled is not None
    assert found["tier"].pooled < most.shrunk < most.raw


def test_the_always_valid_interval_is_the_published_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    row = only(analysed(tmp_path, arms(a=rng.normal(0, 1, 500), b=rng.normal(0.1, 1, 500)), tuned_for=2000))
    assert row.always_valid is not None
    assert row.difference is not None
    assert row.se is not None
    tuned = -2 * math.log(0.05)
    rho2 = (tuned + math.log(tuned + 1)) / 2000
    weight = 1000 * rho2
    margin = row.se * math.sqrt(2 * (weight + 1) / weight * math.log(math.sqrt(weight + 1) / 0.05))
    assert row.always_valid.ci == pytest.approx((row.difference - margin, row.difference + margin), rel=1e-12)
    assert row.ci is not None
    assert row.always_valid.ci[0] < row.ci[0] < row.ci[1] < row.always_valid.ci[1]


def test_many_comparisons_are_corrected(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    arm = rng.choice(["a", "b", "c"], 600)
    columns = {"arm": arm, "y": rng.normal(0, 1, 600) + 0.3 * (arm == "c"), "x": rng.integers(0, 2, 600)}
    rows = analysed(tmp_path, columns, metrics=["y", "x"]).metrics
    assert [(row.metric, row.arm) for row in rows] == [("y", "b"), ("y", "c"), ("x", "b"), ("x", "c")]
    p_values = [row.p_value or 0.0 for row in rows]
    smallest = int(np.argmin(p_values))
    assert rows[smallest].adjusted_p_value == pytest.approx(min(1.0, 4 * p_values[smallest]))


def test_more_metrics_than_one_reading_takes(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    arm, tier = rng.choice(["a", "b", "c"], 300), rng.choice(["x", "y", "z"], 300)
    columns = {f"m{number}": rng.normal(number, 1, 300) for number in range(40)}
    answer = analysed(
        tmp_path, {"arm": arm, "tier": tier, **columns}, metrics=list(columns), dimensions=["tier"]
    )
    assert len(answer.metrics) == len(answer.dimensions) == 80
    for row in answer.metrics:
        values = columns[row.metric]
        assert row.mean == pytest.approx(values[arm == row.arm].mean(), rel=1e-9)
        assert row.difference == pytest.approx(
            values[arm == row.arm].mean() - values[arm == "a"].mean(), rel=1e-9
        )
    for found in answer.dimensions:
        values = columns[found.metric]
        for cell in found.cells:
            mine, theirs = (values[(arm == each) & (tier == cell.value)] for each in (found.arm, "a"))
            assert cell.raw == pytest.approx(mine.mean() - theirs.mean(), rel=1e-9)


def test_winsorising_caps_at_quantiles_of_everybody(tmp_path: Path) -> None:
    rng = np.random.default_rng(15)
    table = arms(a=rng.lognormal(0, 2, 300), b=rng.lognormal(0, 2, 300))
    row = only(analysed(tmp_path, table, winsorise=0.95))
    low, high = np.quantile(table["y"], [0.05, 0.95])
    capped = np.clip(table["y"], low, high)
    assert row.winsorised is not None
    assert (row.winsorised.low, row.winsorised.high) == pytest.approx((low, high), rel=1e-12)
    assert row.winsorised.values == int(((table["y"] < low) | (table["y"] > high)).sum()) == 60
    assert row.difference == pytest.approx(capped[300:].mean() - capped[:300].mean(), rel=1e-10)


def test_an_answer_keeps_to_its_contract(tmp_path: Path) -> None:
    rng = np.random.default_rng(16)
    answer = analysed(tmp_path, arms(a=rng.normal(0, 1, 9), b=rng.normal(0, 1, 9)))
    told = orjson.loads(answer.model_dump_json())
    assert {"metrics", "srm", "dimensions", "warnings"} <= told.keys()
    assert told["warnings"] == [remark["en"] for remark in told["remarks"]]
    assert [remark["code"] for remark in told["remarks"]] == ["few", "few"]
    assert {
        "metric", "arm", "control", "n", "n_control", "mean", "mean_control", "difference", "se", "ci", "p_value",
        "relative", "method", "always_valid", "cuped",
    } <= told["metrics"][0].keys()  # fmt: skip
    assert {"chi2", "df", "p_value"} <= told["srm"].keys()
    assert isinstance(told["metrics"][0]["ci"], list)
