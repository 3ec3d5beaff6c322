"""The kind `kmeans`: one partition by k-means."""

from dataclasses import asdict

from services.segmentation.domain.description import describe
from services.segmentation.domain.kmeans import cluster
from services.segmentation.queries.profile import contrast_views
from services.segmentation.usecases.training.features import numeric_features
from services.segmentation.usecases.training.framework import Group, Kind, Trained, Training
from shared.contracts.base import LocalText
from shared.contracts.segmentation.clusters import KMeansParameters
from shared.errors import FieldError


def check(parameters: KMeansParameters) -> list[FieldError]:
    return numeric_features(parameters.features)


def train(training: Training) -> Trained:
    parameters = KMeansParameters.model_validate(training.parameters)
    training.progress(0.05, "reading features")
    ordinals, matrix = training.features(parameters.features)
    training.progress(0.2, "clustering")
    found = cluster(matrix, parameters.k, training.seed, parameters.sample)
    training.progress(0.8, "describing groups")
    groups = []
    for number in range(1, parameters.k + 1):
        inside = found.labels == number
        contrasts = contrast_views(matrix, inside)
        groups.append(
            Group(
                number=number,
                name=made_up_name(number),
                size=int(inside.sum()),
                description=describe(contrasts),
                profile=contrasts,
                centre=dict(zip(parameters.features, found.centres[number - 1].tolist(), strict=True)),
            )
        )
    return Trained(
        ordinals=ordinals,
        metrics={
            "silhouette": found.silhouette,
            "inertia": found.inertia,
            "fitted_on": found.fitted_on,
            "iterations": found.iterations,
        },
        preparation={key: asdict(how) for key, how in found.preparation.items()},
        labels=found.labels,
        groups=groups,
    )


def made_up_name(number: int) -> LocalText:
    return LocalText(zh=f"第{number}类客群", en=f"Cluster {number}")


KMEANS = Kind(KMeansParameters, check, train)
