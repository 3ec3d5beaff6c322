"""What a review says of managers or branches that were drawn."""

from services.console.i18n import Texts
from services.console.pages.review_verdict import clusters
from shared.contracts.evaluation.effects import Clustering


def test_a_verdict_tells_how_many_were_drawn_and_how_alike_their_customers_are() -> None:
    found = Clustering(clusters=18, clusters_hold_out=12, df=23.7, icc=0.2, design_effect=4.0)
    assert clusters(Texts("en"), found, "manager") == ("managers", "18 / 12", "ICC 0.20 · variance × 4.00")
    alone = found.model_copy(update={"icc": None, "design_effect": None})
    assert clusters(Texts("zh"), alone, "branch") == ("网点", "18 / 12", "")
