"""The pictures of one campaign's review, from what the evaluation service answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shared.charts.caterpillar import CaterpillarRow, CaterpillarWords, caterpillar
from shared.charts.course import CourseWords, Day, Event, course
from shared.charts.forest import Estimate, ForestRow, ForestWords, forest
from shared.charts.funnel import FunnelStage, FunnelWords, funnel
from shared.charts.heat import HeatCell, HeatWords, heat
from shared.charts.palette import Palette, tone_of
from shared.charts.strip import StripWords, strip
from shared.charts.uplift import Reached, UpliftWords, uplift
from shared.charts.words import word
from shared.contracts.base import Number
from shared.contracts.evaluation.boards import Funnel
from shared.contracts.evaluation.heterogeneity import ShrunkEffect
from shared.contracts.evaluation.results import BreakdownRow, MoneyResult, PrimaryEffect
from shared.contracts.evaluation.series import CampaignSeries, SeriesDay, SeriesMarker
from shared.contracts.evaluation.uplift import ResponseModel
from shared.formats import SHARES, Quantity, percent, whole

STAGES = ("assigned", "contacted", "reached", "responded", "converted", "retained")


@dataclass(frozen=True)
class Pictures:
    """`called`: what a value of a dimension is called; `unit`: how the primary metric is written."""

    unit: Quantity
    palette: Palette
    called: Callable[[str, str], str]
    higher_is_better: bool = True

    def word(self, key: str) -> str:
        return word(key, self.unit.language)

    def funnel(self, found: Funnel, *, width: float = 580) -> Markup:
        stages = [
            FunnelStage(self.word(name), getattr(found.treated, name), getattr(found.hold_out, name))
            for name in STAGES
        ]
        names = ("funnel", "stage", "treated", "hold_out", "unknown")
        words = FunnelWords(*(self.word(name) for name in names))
        return funnel(stages, words, self.palette, width=width)

    def drawable(self, series: CampaignSeries) -> bool:
        """Whether any day has a difference."""
        return any(day.difference is not None for day in series.days)

    def course(self, series: CampaignSeries, *, width: float = 1180, height: float = 330) -> Markup:
        """Days that have a difference; what happened on the way stands at its day."""
        days = [_day(day, day.difference) for day in series.days if day.difference is not None]
        events = [Event(marker.day, self._event(marker)) for marker in series.markers]
        upward = "upward_share" if self.unit.kind in SHARES else "upward"
        names = ("course", "day", upward, "difference", "band", "immature")
        words = CourseWords(*(self.word(name) for name in names))
        return course(days, events, words, self._signed, self.palette, width=width, height=height)

    def arms(self, found: PrimaryEffect, *, width: float = 1180) -> Markup:
        """Each arm, and all of them together where there are several."""
        every = [*([found.overall] if found.overall and len(found.arms) > 1 else []), *found.arms]
        rows = [
            ForestRow(
                self.word("all") if effect.arm == "all" else effect.arm,
                _size(effect.n, effect.n_hold_out),
                _estimate(effect.difference, effect.ci),
            )
            for effect in every
        ]
        return forest(
            rows,
            self._forest_words("arms"),
            self._signed,
            self.palette,
            higher_is_better=self.higher_is_better,
            width=width,
        )

    def forest(
        self, rows: Sequence[BreakdownRow], pooled: Number | None = None, *, width: float = 1180
    ) -> Markup:
        """One row a cell; `pooled`: the effect over all of them."""
        return forest(
            [self._row(row) for row in rows],
            self._forest_words("breakdown"),
            self._signed,
            self.palette,
            higher_is_better=self.higher_is_better,
            pooled=None if pooled is None else float(pooled),
            width=width,
        )

    def heat(self, rows: Sequence[BreakdownRow], *, width: float = 620) -> Markup:
        """Rows of a breakdown by `script,channel`."""
        scripts, channels = (sorted({row.values[name] for row in rows}) for name in ("script", "channel"))
        cells = {
            (scripts.index(row.values["script"]), channels.index(row.values["channel"])): self._cell(row)
            for row in rows
        }
        return heat(
            [self.called("script", script) for script in scripts],
            [self.called("channel", channel) for channel in channels],
            cells,
            HeatWords(self.word("heat"), self.word("script"), self.word("nobody")),
            self._signed,
            self.palette,
            higher_is_better=self.higher_is_better,
            width=width,
        )

    def uplift(self, found: ResponseModel, *, width: float = 580) -> Markup:
        """What contacting by a model's scores is worth, beside contacting by lot."""
        points = [
            Reached(point.share, float(point.value), *(float(end) for end in point.ci or ()))
            for point in found.curve
        ]
        names = ("uplift", "uplift_share", "uplift_upward", "uplift_line", "uplift_band", "uplift_lot")
        words = UpliftWords(*(self.word(name) for name in names))
        return uplift(points, words, self._signed, lambda share: percent(share, 0), self.palette, width=width)

    def money(self, found: MoneyResult, target: Number | None, *, width: float = 560) -> Markup:
        low, high = (float(end) for end in found.ci)
        words = StripWords(self.word("incremental"), self.word("incremental"), self.word("target"))
        return strip(
            Estimate(float(found.incremental), low, high),
            None if target is None else float(target),
            tone_of(low, high, higher_is_better=self.higher_is_better),
            words,
            self.unit.signed_total,
            self.palette,
            width=width,
        )

    def name_of(self, row: BreakdownRow) -> str:
        return " · ".join(self.called(dimension, value) for dimension, value in row.values.items())

    def caterpillar(
        self, rows: Sequence[BreakdownRow], pooled: Number, title: str, *, width: float = 1180
    ) -> Markup:
        """Values of one dimension beside what is typical of all, from the lowest to the highest."""
        found = [(row, row.shrunk) for row in rows if row.shrunk is not None]
        drawn = [
            self._beside(row, shrunk, float(pooled))
            for row, shrunk in sorted(found, key=lambda pair: pair[1].value)
        ]
        words = CaterpillarWords(
            title, *(self.word(name) for name in ("group", "size", "typical", "typical"))
        )
        return caterpillar(
            drawn,
            words,
            self._signed,
            self.palette,
            higher_is_better=self.higher_is_better,
            width=width,
        )

    def _beside(self, row: BreakdownRow, shrunk: ShrunkEffect, pooled: float) -> CaterpillarRow:
        low, high = (float(end) - pooled for end in shrunk.ci)
        found = Estimate(float(shrunk.value) - pooled, low, high)
        said = f"{self._signed(found.value)}  [{self._signed(low)}, {self._signed(high)}]"
        return CaterpillarRow(self.name_of(row), _size(row.n, row.n_hold_out), found, said)

    def _row(self, row: BreakdownRow) -> ForestRow:
        raw = shrunk = None
        if row.difference is not None and row.ci is not None:
            raw = _estimate(row.difference, row.ci)
        if row.shrunk is not None:
            shrunk = _estimate(row.shrunk.value, row.shrunk.ci)
        why = "" if raw else self.word("too_few")
        return ForestRow(self.name_of(row), _size(row.n, row.n_hold_out), raw, shrunk, why)

    def _event(self, marker: SeriesMarker) -> str:
        name = self.word(marker.kind)
        return name if marker.wave is None else f"{name} {marker.wave}"

    def _cell(self, row: BreakdownRow) -> HeatCell:
        size = f"n = {whole(row.n)}"
        if row.difference is None or row.ci is None:
            return HeatCell(None, size, why=self.word("too_few"))
        return HeatCell(float(row.difference), size, sure=not row.ci[0] <= 0 <= row.ci[1])

    def _forest_words(self, title: str) -> ForestWords:
        names = (title, "group", "size", "raw", "shrunk", "figure", "pooled")
        return ForestWords(*(self.word(name) for name in names))

    def _signed(self, value: float) -> str:
        return self.unit.signed(value)


def _day(day: SeriesDay, difference: Number) -> Day:
    low, high = day.always_valid_ci or (None, None)
    return Day(
        day.day,
        float(difference),
        None if low is None else float(low),
        None if high is None else float(high),
        mature=not day.immature,
    )


def _size(n: int, n_hold_out: int) -> str:
    return f"{whole(n)} / {whole(n_hold_out)}"


def _estimate(difference: Number, ci: tuple[Number, Number]) -> Estimate:
    return Estimate(float(difference), float(ci[0]), float(ci[1]))
