"""How good a prediction is: validated out of time, calibrated, on a stable population."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from services.segmentation.api.access import Reader
from services.segmentation.queries.models import finished_run
from services.segmentation.queries.run_results import prediction_report
from shared.contracts.segmentation.predictions import PredictionReport
from shared.web import Router, Session, problem_responses

router = Router(tags=["models"])


@router.get("/model-runs/{run_id}/validation", responses=problem_responses(404, 409))
async def get_run_validation(
    session: Session,
    principal: Reader,
    run_id: Annotated[UUID, Path(description="Id of the run of a churn or propensity model")],
) -> PredictionReport:
    """How the run did on customers of a later moment than it learnt from: lift, calibration, stability."""
    run = await finished_run(session, run_id)
    return prediction_report(run)
