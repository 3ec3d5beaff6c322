"""Whatever an analysis remarks, it says by a code and in either language alone."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from services.evaluation.domain.analysis import Comparison
from services.evaluation.domain.effect import Adjustment, Effect, NoEffect, welch
from services.evaluation.domain.moments import Moments
from services.evaluation.domain.srm import SplitCheck
from services.evaluation.queries.analysis_remarks import Remarks
from services.evaluation.store.columns import Measure
from services.evaluation.store.observations import Intake
from services.evaluation.store.tables import TableColumn
from shared.contracts.evaluation.analyse import AnalyseOptions, RemarkCode

OPTIONS = AnalyseOptions(arm="组别", control="对照", metrics=["金额"], unit="客户", cluster="网点")
INTAKE = Intake(
    rows=90, without_arm=1, without_unit=2, without_cluster=3, crossed=4, torn=5, repeated=6, strange={0: 7}
)
FEW = NoEffect("too-few", "1 against 0; 2 of each are needed")


def compared(effect: Effect | NoEffect, **rest: object) -> Comparison:
    return replace(Comparison(9, 9, 1.0, 1.0, effect, "welch"), **rest)  # type: ignore[arg-type]


@pytest.fixture
def remarks() -> Remarks:
    """Everything that can be remarked, once."""
    effect = welch(Moments(9, 1.0, 9.0), Moments(9, 0.0, 9.0), 0.05)
    assert isinstance(effect, Effect)
    found = Remarks(OPTIONS)
    found.encoding("gb18030")
    found.intake(INTAKE, [Measure(TableColumn("金额", "c1", "VARCHAR"), "mean", "metrics")])
    found.arms({"none": 40, "甲": 3, "实验A": 40, "实验a": 40})
    found.clusters(2)
    found.split(SplitCheck(30.0, 1, 1e-7, {"甲": 5.0}, {"丙": 2}), "units")
    found.missing("金额", {"甲": 3, "乙": 0}, 1e-9, covariate=True)
    found.useless("年龄")
    found.uncapped("金额")
    for comparison in (
        compared(FEW, adjusted=FEW),
        compared(replace(effect, standard_error=0.0)),
        compared(effect, adjustment=Adjustment(0.0, 0.01, applied=False)),
    ):
        found.comparison("金额", "甲", comparison)
    found.dominated("金额", "甲", 0.9)
    found.levels("地区", 300, 200, 0)
    found.levels("地区", 3, 200, 8)
    found.cells("地区", "金额", "甲", [f"第{n}区" for n in range(12)], 2)
    found.no_cells("地区", "金额", "甲", FEW)
    found.no_quantiles("地区", "金额")
    return found


def test_there_is_a_remark_of_every_code(remarks: Remarks) -> None:
    assert {remark.code for remark in remarks.told()} == set(get_args(RemarkCode))


def test_every_remark_is_a_sentence_in_either_language(remarks: Remarks) -> None:
    named = re.compile("UTF-8|gb18030|NaN|none|实验[Aa]")
    for remark in remarks.told():
        assert re.search("[A-Za-z]{2}", named.sub("", remark.zh)) is None, remark
        assert remark.zh.endswith("。"), remark
        # Names are quoted as the file has them.
        assert re.search("[一-鿿]", re.sub("'[^']*'", "", remark.en)) is None, remark
        assert remark.en.endswith("."), remark


def test_what_is_said_twice_is_told_once_and_briefly() -> None:
    found = Remarks(OPTIONS)
    for _ in range(2):
        found.uncapped("长" * 5000)
    (remark,) = found.told()
    assert max(len(remark.zh), len(remark.en)) < 2010
