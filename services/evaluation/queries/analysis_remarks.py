"""What a reader of an analysis has to know besides its figures, in sentences."""

from collections.abc import Mapping, Sequence

from services.evaluation.domain.analysis import DOMINANT, FEW, UNEQUAL, Comparison
from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.srm import ALARM, SplitCheck
from services.evaluation.store.columns import Measure
from services.evaluation.store.observations import Intake
from shared.contracts.evaluation.analyse import AnalyseOptions

_LISTED = 10
_LONGEST = 2000
_NULLS = {"null", "none", "nan", "na", "n/a", "\\n"}


class Remarks:
    """Collected in the order they were made, each once."""

    def __init__(self, options: AnalyseOptions, notes: Sequence[str]) -> None:
        self._options = options
        self._told = dict.fromkeys(notes)

    def told(self) -> list[str]:
        return list(self._told)

    def say(self, sentence: str) -> None:
        self._told[sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]} …"] = None

    def intake(self, intake: Intake, measures: Sequence[Measure]) -> None:
        """What was left out, and how rows became units."""
        options = self._options
        left_out = (
            (intake.without_arm, f"have no value in the arm column {options.arm!r}"),
            (intake.without_unit, f"have no value in the unit column {options.unit!r}"),
            (intake.without_cluster, f"have no value in the cluster column {options.cluster!r}"),
        )
        for count, why in left_out:
            if count:
                self.say(f"{count:,} of {intake.rows:,} rows {why} and were left out.")
        if intake.crossed:
            self.say(f"{intake.crossed:,} units are in more than one arm and were left out (cross-over).")
        if intake.torn:
            self.say(f"{intake.torn:,} units are in more than one cluster and were left out.")
        if intake.repeated:
            how = {"mean": "averaged", "sum": "summed up", "max": "reduced to their largest value"}
            self.say(
                f"{intake.repeated:,} units have several rows; their values were {how[options.combine]}"
                " (numerators and denominators of ratios summed up, covariates averaged)."
            )
        for at, count in intake.strange.items():
            if count:
                name = measures[at].column.name
                self.say(f"{name!r}: {count:,} values are NaN or infinite and count as missing.")

    def arms(self, arms: Mapping[str, int]) -> None:
        for arm, count in arms.items():
            if arm.casefold() in _NULLS:
                self.say(f"An arm is called {arm!r}: it was taken for a label, not for a missing value.")
            if count < FEW:
                self.say(f"Arm {arm!r} has {count:,} {self._counted()} only: its intervals are rough.")
        folded = [arm.casefold() for arm in arms]
        if len(set(folded)) < len(folded):
            self.say("Some arms differ in upper and lower case only; they were taken for different arms.")

    def clusters(self, split: int) -> None:
        if split:
            self.say(
                f"{split:,} clusters have {self._counted()} in several arms: clusters were not drawn as a"
                " whole. Errors take the parts of such a cluster for independent, which mostly makes them too"
                " large."
            )

    def split(self, split: SplitCheck, counted: str) -> None:
        if split.strangers:
            named = ", ".join(f"{arm!r} ({count:,})" for arm, count in split.strangers.items())
            self.say(
                f"Sample ratio: {named} found in arms of declared weight 0 or without a declared weight."
            )
        if split.p_value < ALARM:
            self.say(
                f"Sample ratio mismatch: {counted} by arm do not follow the declared split"
                f" (χ² = {split.chi2:.2f}, p = {split.p_value:.2g}). Find out why before any effect counts."
            )

    def missing(
        self, name: str, absent: Mapping[str, int], p_value: float | None, *, covariate: bool
    ) -> None:
        counts = ", ".join(f"{count:,} in {arm!r}" for arm, count in absent.items() if count)
        if not counts:
            return
        what = "replaced by the mean of all" if covariate else "left out of this metric"
        self.say(f"{name!r} is missing: {counts}; {what}.")
        if p_value is not None and p_value < UNEQUAL:
            self.say(
                f"{name!r} is missing more often in one arm than in another (p = {p_value:.2g}): what is left"
                " may no longer be comparable."
            )

    def useless(self, covariate: str) -> None:
        self.say(
            f"The covariate {covariate!r} has the same value for everybody, or none: it explains nothing."
        )

    def uncapped(self, name: str) -> None:
        self.say(f"{name!r} was not winsorised: only means are.")

    def comparison(self, name: str, arm: str, found: Comparison) -> None:
        if isinstance(found.effect, NoEffect):
            self.say(f"{name!r}, arm {arm!r}: no test, because {found.effect.detail}.")
        elif not found.tested:
            self.say(f"{name!r}, arm {arm!r}: no p-value, because the outcome is the same for everybody.")
        if isinstance(found.adjusted, NoEffect):
            self.say(f"{name!r}, arm {arm!r}: no adjusted estimate, because {found.adjusted.detail}.")
        elif found.adjustment is not None and not found.adjustment.applied:
            self.say(
                f"{name!r}, arm {arm!r}: not adjusted, because the covariates explain hardly anything, or are"
                " the outcome itself."
            )

    def dominated(self, name: str, arm: str, share: float) -> None:
        if share > DOMINANT:
            self.say(
                f"{name!r}, arm {arm!r}: one {self._counted()[:-1]} carries {share:.0%} of the variance."
                " Check it, or winsorise at a quantile chosen beforehand."
            )

    def levels(self, dimension: str, levels: int, most: int, missing: int) -> None:
        if levels > most:
            self.say(
                f"The dimension {dimension!r} has more than {most} values: it was left out."
                " Numbers and identifiers have to be put into classes first."
            )
        elif missing:
            self.say(f"{missing:,} {self._counted()} have no {dimension!r} and are in none of its cells.")

    def cells(self, dimension: str, name: str, arm: str, left_out: Sequence[str], least: int) -> None:
        if left_out:
            shown = ", ".join(repr(value) for value in left_out[:_LISTED])
            more = f" and {len(left_out) - _LISTED} more" if len(left_out) > _LISTED else ""
            self.say(
                f"{dimension!r}, {name!r}, arm {arm!r}: cells {shown}{more} have fewer than {least}"
                f" {self._counted()} in an arm, or nothing to judge chance by, and are not part of Q."
            )

    def no_cells(self, dimension: str, name: str, arm: str, why: str) -> None:
        self.say(f"{dimension!r}, {name!r}, arm {arm!r}: no Q, because {why}.")

    def _counted(self) -> str:
        return "units" if self._options.unit else "rows"
