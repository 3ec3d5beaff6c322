"""The kind `churn`: who will be lost within the horizon, and why."""

from services.segmentation.usecases.training import windows
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from services.segmentation.usecases.training.predicting import Question, predict
from shared.contracts.base import LocalText
from shared.contracts.segmentation.predictions import ChurnParameters
from shared.errors import FieldError


def check(parameters: ChurnParameters) -> list[FieldError]:
    return twice(parameters.features)


def train(training: Training) -> Trained:
    wanted, known = ChurnParameters.model_validate(training.parameters), training.catalogue
    return predict(
        training,
        Question(
            features=wanted.features,
            horizon_days=wanted.horizon_days,
            sample=wanted.sample,
            top_share=wanted.top_share,
            least_probability=wanted.least_probability,
            learn=lambda cursor, moment: windows.lost_after(cursor, wanted.features, wanted, moment, known),
            ask=lambda cursor, moment: windows.at_risk_now(cursor, wanted.features, wanted, moment, known),
            listed_name=LocalText(zh="流失高风险", en="Likely to leave"),
        ),
    )


CHURN = Kind(
    ChurnParameters, check, train, features=lambda wanted: pointed(wanted.features), of_the_past=True
)
