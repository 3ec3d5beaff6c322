"""What the review of a campaign says of versions, referrals and opportunities."""

import pytest

from services.console.api import Api
from services.console.formats import Quantity
from services.console.i18n import Language, Texts
from services.console.pages.review_desks import _credited, _outcome, _script_row, _versus_row
from services.console.session import User
from services.console.view import View
from shared.contracts.evaluation.review import OpportunityGroup, ReferralCounts, ScriptRecord
from shared.contracts.evaluation.scripts import ScriptComparison, ScriptEffect

FUNNEL = {"assigned": 200, "contacted": 150, "reached": 100, "responded": 50, "converted": 9}
RECORD = {"script": "w@1", "arms": ["call"], "funnel": FUNNEL, "given": 3, "mean": 4.33}
MEASURED = {
    "arm": "call",
    "n": 190,
    "n_hold_out": 80,
    "mean": "500.00",
    "mean_hold_out": "100.00",
    "difference": "400.00",
    "se": "50.000000",
    "ci": ["300.00", "500.00"],
    "p_value": 0.0004,
    "method": "welch",
}
VERSUS = {"script": "w@1", "other": "s@1", "n": 190, "n_other": 70}
UNIT = Quantity("en", "sum", "CNY")


def view_in(language: Language) -> View:
    user = User(token="t", id="u", name="n", roles=frozenset(), org="hq", staff=None)
    return View(Texts(language), user, Api({}, "t"))


def test_a_version_shows_its_effect_beside_what_was_counted() -> None:
    found = ScriptEffect.model_validate({"script": "w@1", "arms": ["call"], "effect": MEASURED})
    row = [str(cell) for cell in _script_row(ScriptRecord.model_validate(RECORD), found, UNIT)]
    assert row[1] == "190 / 80"
    assert "+¥400" in row[2]
    assert "+¥300 ~ +¥500" in row[2]
    assert ["75.0%" in row[3], "50.0%" in row[4], "25.0%" in row[5], row[6]] == [True] * 3 + ["4.3 (3)"]


def test_without_an_effect_the_reason_is_there_and_nobody_divides_by_nobody() -> None:
    found = ScriptEffect.model_validate(
        {"script": "w@1", "arms": ["call"], "effect": None, "error": "0 held <out>"}
    )
    nobody = {**RECORD, "funnel": dict.fromkeys(FUNNEL, 0), "given": 0, "mean": None}
    row = [str(cell) for cell in _script_row(ScriptRecord.model_validate(nobody), found, UNIT)]
    assert row[1] == "0"
    assert 'title="0 held &lt;out&gt;"' in row[2]
    assert row[6] == "–"


@pytest.mark.parametrize(("language", "words"), [("zh", "渠道 · 产品"), ("en", "Channel · Offer")])
def test_a_comparison_says_what_else_differs(language: Language, words: str) -> None:
    view = view_in(language)
    both = ScriptComparison.model_validate({**VERSUS, "also_differ_in": ["channel", "offer"], "error": "few"})
    row = [str(cell) for cell in _versus_row(view, both, UNIT)]
    assert row[2] == "190 / 70"
    assert 'title="few"' in row[3]
    assert row[5] == words
    same = ScriptComparison.model_validate(
        {**VERSUS, "also_differ_in": [], "difference": "-20.00", "ci": ["-30.00", "-10.00"], "q_value": 0.02}
    )
    row = [str(cell) for cell in _versus_row(view, same, UNIT)]
    assert "−¥20" in row[3]
    assert row[4:] == ["0.020", view.t("review.words_only")]


def test_credit_and_losses_are_told_in_full() -> None:
    counts = dict.fromkeys(ReferralCounts.model_fields, 1)
    credit = {"currency": "CNY", "amount": "100.01", "referrer": "40.00", "receiver": "60.01"}
    total = ReferralCounts.model_validate({**counts, "hours_to_answer": None, "credited": [credit]})
    ((_, told),) = _credited(view_in("en"), total)
    assert "¥100.01" in told
    assert "Referrer ¥40.00 · receiver ¥60.01" in told
    group = OpportunityGroup.model_validate(
        {
            **dict.fromkeys(("opened", "customers", "open", "won", "lost"), 2),
            "group": None,
            "won_amount": "5.00",
            "win_rate": 0.5,
            "days_to_win": [1.0, 2.25, 4.0],
            "lost_reasons": {"price": 2},
            "stages": [],
            "moves": [],
        }
    )
    said = [str(value) for _, value in _outcome(view_in("en"), group, "CNY")]
    assert said == ["2", "50.0%", "¥5.00", "2.2 (1.0 ~ 4.0)", "Price 2"]
