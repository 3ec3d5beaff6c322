"""What a campaign has changed, in one line on its own page; everything else stands in its review."""

from markupsafe import Markup

from services.console.api import segment
from services.console.pages.words import Metrics, quantity
from services.console.view import View
from services.console.widgets.figures import panel
from services.console.widgets.html import html, link
from shared.contracts.evaluation import CampaignBoard
from shared.verdict_words import headline, meaning
from shared.verdicts import TONES, verdict_of


def draw_result(view: View, board: CampaignBoard, known: Metrics) -> None:
    t, campaign, result = view.t, board.campaign, board.result
    verdict = verdict_of(result)
    unit = quantity(t, known, campaign.primary_metric, campaign.currency)
    more = link(t("review.open"), f"/campaigns/{segment(campaign.campaign_id)}/review")
    with panel(t("verdict.title"), side=more):
        said = Markup('<b class="{}">{}</b>').format(TONES[verdict], headline(verdict, t.language))
        if result is not None and result.money is not None:
            ends = f"{unit.signed_total(result.money.ci[0])} ~ {unit.signed_total(result.money.ci[1])}"
            said += Markup(" · {} {} ({})").format(
                t("money.incremental"), unit.signed_total(result.money.incremental), ends
            )
        html(Markup('<p>{}</p><p class="muted small">{}</p>').format(said, meaning(verdict, t.language)))
