"""What of a campaign a reader below head office may see."""

from shared.auth import Principal
from shared.contracts.evaluation import CampaignResult, Health, HealthCheck, Narrative, Recommendation
from shared.contracts.evaluation.recommendations import PolicyValue


def visible_result(principal: Principal, result: CampaignResult) -> CampaignResult:
    """Rows over other organisations' customers are left out."""
    if principal.scope == "*":
        return result
    own = [
        row for row in result.breakdown if "branch" in row.values and principal.covers(row.values["branch"])
    ]
    return result.model_copy(update={"breakdown": own, "health": visible_health(principal, result.health)})


def visible_health(principal: Principal, health: Health) -> Health:
    """Without the branch of the whole bank whose split is the least likely."""
    if principal.scope == "*":
        return health
    return health.model_copy(update={"checks": [_unnamed(check) for check in health.checks]})


def _unnamed(check: HealthCheck) -> HealthCheck:
    if check.check != "srm_branches":
        return check
    finding = Narrative(
        zh="已逐家机构检查；最异常的是哪一家，总行可以看到。",
        en="Branches were looked at one by one; head office sees which is the least likely.",
    )
    return check.model_copy(update={"detail": finding.en, "finding": finding})


def visible_advice(principal: Principal, advice: Recommendation) -> Recommendation:
    """Without other organisations' branches and managers, and without the sentence that names them. The
    advice itself is of the whole campaign, as its effect is.
    """
    if principal.scope == "*":
        return advice
    cells = [cell for cell in advice.cells if _own(principal, cell.dimension, cell.value)]
    policies = [_of_own(principal, policy) for policy in advice.policies]
    if cells == advice.cells and policies == advice.policies:
        return advice
    text = Narrative(zh=f"{advice.title.zh}。", en=f"{advice.title.en}.")
    return advice.model_copy(update={"cells": cells, "policies": policies, "text": text})


def _of_own(principal: Principal, policy: PolicyValue) -> PolicyValue:
    if policy.dimension is None:
        return policy
    kept = [cell for cell in policy.cells if _own(principal, policy.dimension, cell)]
    return policy.model_copy(update={"cells": kept})


def _own(principal: Principal, dimension: str, value: str) -> bool:
    """Of a manager it is not known here whose he is."""
    return principal.covers(value) if dimension == "branch" else dimension != "manager"
