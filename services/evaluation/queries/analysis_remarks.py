"""What a reader of an analysis has to know besides its figures: each with a code, and in both languages."""

from collections.abc import Mapping, Sequence

from services.evaluation.domain.analysis import DOMINANT, FEW, UNEQUAL, Comparison
from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.srm import ALARM, SplitCheck
from services.evaluation.store.columns import Measure
from services.evaluation.store.observations import Intake
from shared.contracts.evaluation.analyse import AnalyseOptions, AnalysisRemark, RemarkCode
from shared.verdict_words import why_none

_LISTED = 10
_LONGEST = 2000
_NULLS = {"null", "none", "nan", "na", "n/a", "\\n"}


class Remarks:
    """Collected in the order they were made, each once."""

    def __init__(self, options: AnalyseOptions) -> None:
        self._options = options
        self._told: dict[str, AnalysisRemark] = {}
        self._counted = "units" if options.unit else "rows"
        self._counted_zh = "个单元" if options.unit else "行"

    def told(self) -> list[AnalysisRemark]:
        return list(self._told.values())

    def say(self, code: RemarkCode, en: str, zh: str) -> None:
        remark = AnalysisRemark(code=code, zh=_cut(zh), en=_cut(en))
        self._told[remark.en] = remark

    def encoding(self, encoding: str | None) -> None:
        """None where it is what it should be."""
        if encoding is not None:
            self.say(
                "encoding",
                f"The file was read as {encoding}: it is not UTF-8.",
                f"文件不是 UTF-8 编码，已按 {encoding} 读取。",
            )

    def intake(self, intake: Intake, measures: Sequence[Measure]) -> None:
        """What was left out, and how rows became units."""
        self._without(intake)
        if intake.crossed:
            self.say(
                "crossed",
                f"{intake.crossed:,} units are in more than one arm and were left out (cross-over).",
                f"{intake.crossed:,} 个单元出现在多个组中（跨组），未计入。",
            )
        if intake.torn:
            self.say(
                "torn",
                f"{intake.torn:,} units are in more than one cluster and were left out.",
                f"{intake.torn:,} 个单元出现在多个整群中，未计入。",
            )
        if intake.repeated:
            how = {"mean": "averaged", "sum": "summed up", "max": "reduced to their largest value"}
            how_zh = {"mean": "取平均", "sum": "求和", "max": "取最大值"}
            self.say(
                "combined",
                f"{intake.repeated:,} units have several rows; their values were"
                f" {how[self._options.combine]}"
                " (numerators and denominators of ratios summed up, covariates averaged).",
                f"{intake.repeated:,} 个单元有多行，其数值已{how_zh[self._options.combine]}"
                "（比率的分子与分母求和，协变量取平均）。",
            )
        for at, count in intake.strange.items():
            if count:
                name = measures[at].column.name
                self.say(
                    "not-finite",
                    f"{name!r}: {count:,} values are NaN or infinite and count as missing.",
                    f"“{name}”中有 {count:,} 个值为 NaN 或无穷大，按缺失处理。",
                )

    def _without(self, intake: Intake) -> None:
        options = self._options
        left_out = (
            (intake.without_arm, "arm", "分组列", options.arm),
            (intake.without_unit, "unit", "单元列", options.unit),
            (intake.without_cluster, "cluster", "整群列", options.cluster),
        )
        for count, column, column_zh, name in left_out:
            if count:
                self.say(
                    "left-out",
                    f"{count:,} of {intake.rows:,} rows have no value in the {column} column {name!r} and"
                    " were left out.",
                    f"{intake.rows:,} 行中有 {count:,} 行的{column_zh}“{name}”没有取值，未计入。",
                )

    def arms(self, arms: Mapping[str, int]) -> None:
        for arm, count in arms.items():
            if arm.casefold() in _NULLS:
                self.say(
                    "arm-named-null",
                    f"An arm is called {arm!r}: it was taken for a label, not for a missing value.",
                    f"有一个组名为“{arm}”：按组名处理，未视为缺失。",
                )
            if count < FEW:
                self.say(
                    "few",
                    f"Arm {arm!r} has {count:,} {self._counted} only: its intervals are rough.",
                    f"“{arm}”组只有 {count:,} {self._counted_zh}，其区间只是粗略估计。",
                )
        folded = [arm.casefold() for arm in arms]
        if len(set(folded)) < len(folded):
            self.say(
                "arms-alike",
                "Some arms differ in upper and lower case only; they were taken for different arms.",
                "有些组名仅大小写不同，按不同的组处理。",
            )

    def clusters(self, split: int) -> None:
        if split:
            self.say(
                "clusters-split",
                f"{split:,} clusters have {self._counted} in several arms: clusters were not drawn as a"
                " whole. Errors take the parts of such a cluster for independent, which mostly makes them too"
                " large.",
                f"{split:,} 个整群分散在多个组中，并非整群分组。计算误差时视同一整群的各部分相互独立，"
                "得到的误差通常偏大。",
            )

    def split(self, split: SplitCheck, counted: str) -> None:
        if split.strangers:
            named = ", ".join(f"{arm!r} ({count:,})" for arm, count in split.strangers.items())
            named_zh = "、".join(f"“{arm}”（{count:,}）" for arm, count in split.strangers.items())
            self.say(
                "undeclared-arms",
                f"Sample ratio: {named} found in arms of declared weight 0 or without a declared weight.",
                f"样本比例：以下组的申报权重为 0 或未申报，却有样本：{named_zh}。",
            )
        if split.p_value < ALARM:
            by_zh = {"rows": "行数", "units": "单元数", "clusters": "整群数"}[counted]
            self.say(
                "sample-ratio-mismatch",
                f"Sample ratio mismatch: {counted} by arm do not follow the declared split"
                f" (χ² = {split.chi2:.2f}, p = {split.p_value:.2g}). Find out why before any effect counts.",
                f"样本比例异常：各组{by_zh}与申报的比例不符"
                f"（χ² = {split.chi2:.2f}，p = {split.p_value:.2g}）。查明原因之前，任何效果都不可信。",
            )

    def missing(
        self, name: str, absent: Mapping[str, int], p_value: float | None, *, covariate: bool
    ) -> None:
        lacking = {arm: count for arm, count in absent.items() if count}
        if not lacking:
            return
        counts = ", ".join(f"{count:,} in {arm!r}" for arm, count in lacking.items())
        counts_zh = "，".join(f"“{arm}”组 {count:,} 个" for arm, count in lacking.items())
        what = "replaced by the mean of all" if covariate else "left out of this metric"
        what_zh = "已用全体均值代替" if covariate else "不计入该指标"
        self.say(
            "missing",
            f"{name!r} is missing: {counts}; {what}.",
            f"“{name}”有缺失：{counts_zh}；{what_zh}。",
        )
        if p_value is not None and p_value < UNEQUAL:
            self.say(
                "missing-unequally",
                f"{name!r} is missing more often in one arm than in another (p = {p_value:.2g}): what is left"
                " may no longer be comparable.",
                f"“{name}”在各组的缺失比例不同（p = {p_value:.2g}），剩下的样本可能已不可比。",
            )

    def useless(self, covariate: str) -> None:
        self.say(
            "useless-covariate",
            f"The covariate {covariate!r} has the same value for everybody, or none: it explains nothing.",
            f"协变量“{covariate}”对所有样本取值相同或没有取值，起不到解释作用。",
        )

    def uncapped(self, name: str) -> None:
        self.say(
            "not-winsorised",
            f"{name!r} was not winsorised: only means are.",
            f"“{name}”未作缩尾处理：只对均值缩尾。",
        )

    def comparison(self, name: str, arm: str, found: Comparison) -> None:
        place, place_zh = f"{name!r}, arm {arm!r}", f"“{name}”，“{arm}”组"
        if isinstance(found.effect, NoEffect):
            self.say(
                "no-test",
                f"{place}: no test, because {found.effect.detail}.",
                f"{place_zh}：未作检验，原因是{_because(found.effect)}。",
            )
        elif not found.tested:
            self.say(
                "no-p-value",
                f"{place}: no p-value, because the outcome is the same for everybody.",
                f"{place_zh}：没有 p 值，因为所有样本的结果都相同。",
            )
        if isinstance(found.adjusted, NoEffect):
            self.say(
                "no-adjusted-estimate",
                f"{place}: no adjusted estimate, because {found.adjusted.detail}.",
                f"{place_zh}：没有协变量调整后的估计，原因是{_because(found.adjusted)}。",
            )
        elif found.adjustment is not None and not found.adjustment.applied:
            self.say(
                "not-adjusted",
                f"{place}: not adjusted, because the covariates explain hardly anything, or are the outcome"
                " itself.",
                f"{place_zh}：未作协变量调整，因为协变量几乎没有解释力，或者就是结果本身。",
            )

    def dominated(self, name: str, arm: str, share: float) -> None:
        if share > DOMINANT:
            self.say(
                "dominated",
                f"{name!r}, arm {arm!r}: one {self._counted[:-1]} carries {share:.0%} of the variance."
                " Check it, or winsorise at a quantile chosen beforehand.",
                f"“{name}”，“{arm}”组：单独一{self._counted_zh}就占了方差的 {share:.0%}。"
                "请核对该值，或按事先选定的分位数缩尾。",
            )

    def levels(self, dimension: str, levels: int, most: int, missing: int) -> None:
        if levels > most:
            self.say(
                "too-many-values",
                f"The dimension {dimension!r} has more than {most} values: it was left out."
                " Numbers and identifiers have to be put into classes first.",
                f"维度“{dimension}”的取值超过 {most} 个，未作分析。数值和编号需先分档。",
            )
        elif missing:
            self.say(
                "without-value",
                f"{missing:,} {self._counted} have no {dimension!r} and are in none of its cells.",
                f"{missing:,} {self._counted_zh}没有“{dimension}”的取值，不在其任何一格中。",
            )

    def cells(self, dimension: str, name: str, arm: str, left_out: Sequence[str], least: int) -> None:
        if not left_out:
            return
        few, rest = left_out[:_LISTED], len(left_out) - _LISTED
        shown, shown_zh = ", ".join(repr(value) for value in few), "".join(f"“{value}”" for value in few)
        more, more_zh = (f" and {rest} more", f"等 {len(left_out)} 个") if rest > 0 else ("", "")
        self.say(
            "cells-left-out",
            f"{dimension!r}, {name!r}, arm {arm!r}: cells {shown}{more} have fewer than {least}"
            f" {self._counted} in an arm, or nothing to judge chance by, and are not part of Q.",
            f"“{dimension}”，“{name}”，“{arm}”组：取值 {shown_zh}{more_zh}在某一组中不足 {least} "
            f"{self._counted_zh}，或无从判断偶然性，未计入 Q。",
        )

    def no_cells(self, dimension: str, name: str, arm: str, found: NoEffect) -> None:
        few = found.code == "too-few"
        why = "能够比较的取值不足两个" if few else _because(found)
        self.say(
            "no-q",
            f"{dimension!r}, {name!r}, arm {arm!r}: no Q, because {found.detail}.",
            f"“{dimension}”，“{name}”，“{arm}”组：没有 Q，因为{why}。",
        )

    def no_quantiles(self, dimension: str, name: str) -> None:
        self.say(
            "no-q",
            f"{dimension!r}, {name!r}, arm '*': no Q, because cells are not compared by quantiles.",
            f"“{dimension}”，“{name}”：没有 Q，因为不按分位数比较各格。",
        )


def _because(found: NoEffect) -> str:
    return why_none(found.code, found.detail, "zh")


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]} …"
