"""The kind `propensity`: to whom an event will happen within the horizon."""

from services.segmentation.usecases.training import windows
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from services.segmentation.usecases.training.predicting import Question, predict
from shared.contracts.base import LocalText
from shared.contracts.segmentation.predictions import PropensityParameters
from shared.errors import FieldError


def check(parameters: PropensityParameters) -> list[FieldError]:
    return twice(parameters.features)


def train(training: Training) -> Trained:
    wanted, known = PropensityParameters.model_validate(training.parameters), training.catalogue
    return predict(
        training,
        Question(
            features=wanted.features,
            horizon_days=wanted.horizon_days,
            sample=wanted.sample,
            top_share=wanted.top_share,
            least_probability=0.0,
            learn=lambda cursor, moment: windows.did_after(cursor, wanted.features, wanted, moment, known),
            ask=lambda cursor, moment: windows.asked_now(cursor, wanted.features, wanted, moment, known),
            listed_name=LocalText(zh="高倾向客户", en="Most likely"),
        ),
    )


PROPENSITY = Kind(
    PropensityParameters, check, train, features=lambda wanted: pointed(wanted.features), of_the_past=True
)
