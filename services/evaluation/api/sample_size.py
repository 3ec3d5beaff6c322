"""How large a test has to be."""

from typing import Annotated

from fastapi import Body

from services.evaluation.api.access import ReviewRead
from services.evaluation.domain.sample_size import Unanswerable, question_errors, sample_size
from shared.contracts.evaluation.sample_size import SampleSize, SampleSizeRequest
from shared.errors import FieldError, Unprocessable
from shared.web import Router, problem_responses

router = Router(tags=["experiments"])

_EXAMPLES = {
    "inflow": {"value": {"kind": "mean", "effect": 200, "deviation": 1000, "hold_out": 0.1}},
    "complaints": {"value": {"kind": "proportion", "goal": "non_inferiority", "base": 0.01, "effect": 0.002}},
    "managers": {
        "value": {
            "kind": "mean",
            "units": 12000,
            "deviation": 1000,
            "clusters": {"size": 200, "icc": 0.05},
        }
    },
}


@router.post("/sample-size", responses=problem_responses(422))
async def calculate_sample_size(
    principal: ReviewRead, body: Annotated[SampleSizeRequest, Body(openapi_examples=_EXAMPLES)]
) -> SampleSize:
    """How many customers show an effect with the power asked for, or the smallest effect so many can show:
    of means, proportions and ratios, by customers or by whole managers or branches, as a difference or as
    proof that nothing got worse by more than a margin. Stores nothing.
    """
    errors = question_errors(body)
    if not errors:
        found = sample_size(body)
        if isinstance(found, SampleSize):
            return found
        errors = [found]
    raise Unprocessable(
        "The question has no answer as it is put.", errors=[_field(error) for error in errors]
    )


def _field(error: Unanswerable) -> FieldError:
    return FieldError(error.pointer, error.detail)
