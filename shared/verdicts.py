"""What may be said of a campaign in one word, from its result."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from shared.contracts.evaluation.boards import BoardCampaign
from shared.contracts.evaluation.results import CampaignResult, HealthCheck
from shared.contracts.metrics import Better


class Verdict(StrEnum):
    NOT_EVALUATED = "not_evaluated"
    NO_HOLD_OUT = "no_hold_out"
    """Nobody was left alone: no effect can be claimed, ever."""
    WITHHELD = "withheld"
    EARLY = "early"
    """Measured, and the registered rule does not allow a conclusion yet."""
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    """Measured, and the interval holds zero."""


TONES: dict[Verdict, Literal["good", "bad", "warn", "muted"]] = {
    Verdict.NOT_EVALUATED: "muted",
    Verdict.NO_HOLD_OUT: "warn",
    Verdict.WITHHELD: "warn",
    Verdict.EARLY: "muted",
    Verdict.BETTER: "good",
    Verdict.WORSE: "bad",
    Verdict.UNDECIDED: "muted",
}


def verdict_of(result: CampaignResult | None) -> Verdict:
    if result is None:
        return Verdict.NOT_EVALUATED
    overall = result.primary.overall if result.primary else None
    if result.primary is None or overall is None:
        failed = {check.check for check in failed_checks(result.health.checks)}
        return Verdict.NO_HOLD_OUT if "hold_out" in failed else Verdict.WITHHELD
    if not readable(result):
        return Verdict.EARLY
    decisive = result.stopping.ci if result.stopping else None
    return verdict_by(decisive or overall.ci, result.primary.better)


def readable(result: CampaignResult) -> bool:
    """Whether a conclusion may be drawn; without a stop rule, once all windows closed."""
    return result.stopping.readable if result.stopping else result.matured >= 1


def verdict_by(interval: tuple[Decimal, Decimal], better: Better) -> Verdict:
    """Of a difference that was measured."""
    low, high = interval
    if low <= 0 <= high:
        return Verdict.UNDECIDED
    return Verdict.BETTER if (low > 0) == (better is Better.HIGHER) else Verdict.WORSE


def verdict_on_board(campaign: BoardCampaign, better: Better) -> Verdict:
    """Of what the board tells of a campaign, as the review says it."""
    effect = campaign.effect
    if effect is None:
        return Verdict.NOT_EVALUATED
    if effect.ci is None:
        return Verdict.WITHHELD if campaign.progress.hold_out else Verdict.NO_HOLD_OUT
    return verdict_by(effect.ci, better) if effect.readable else Verdict.EARLY


def failed_checks(checks: Sequence[HealthCheck]) -> list[HealthCheck]:
    """Those that withhold the verdict; others inform, whatever they find."""
    return [check for check in checks if not check.ok and check.withholds]
