"""The kind `kmeans`: one partition by k-means."""

from dataclasses import asdict

from services.segmentation.domain.cluster_choice import k_table_of_kmeans
from services.segmentation.domain.kmeans import cluster
from services.segmentation.domain.preparation import prepared
from services.segmentation.usecases.training import grouping
from services.segmentation.usecases.training.features import pointed, twice
from services.segmentation.usecases.training.framework import Kind, Trained, Training
from shared.contracts.segmentation.clusters import KMeansParameters
from shared.errors import FieldError


def check(parameters: KMeansParameters) -> list[FieldError]:
    return twice(parameters.features)


def train(training: Training) -> Trained:
    parameters = KMeansParameters.model_validate(training.parameters)
    training.progress(0.05, "reading features")
    ordinals, matrix = training.features(parameters.features)
    preparation, x = prepared(matrix)
    table = k_table_of_kmeans(
        x,
        parameters.k_max,
        training.seed,
        progress=grouping.within(training, 0.15, 0.5, "comparing numbers of groups"),
    )
    k = table.recommended if parameters.k == "auto" else parameters.k
    training.progress(0.5, "clustering")
    found = cluster(x, k, training.seed, parameters.sample)
    training.progress(0.7, "describing groups")
    result = grouping.numbered(ordinals, found.labels, training.previous)
    rules = grouping.described(training, matrix, result.labels)
    centres = {
        result.kept.get(number, number): dict(zip(parameters.features, centre.tolist(), strict=True))
        for number, centre in enumerate(found.centres, 1)
    }
    training.progress(0.9, "comparing with the run before")
    return Trained(
        ordinals=ordinals,
        metrics={
            "k": k,
            "k_from": "recommended" if parameters.k == "auto" else "given",
            "silhouette": found.silhouette,
            "inertia": found.inertia,
            "fitted_on": found.fitted_on,
            "iterations": found.iterations,
            "fidelity": rules.fidelity,
        },
        preparation={key: asdict(how) for key, how in preparation.items()},
        labels=result.labels,
        groups=grouping.groups_of(training, matrix, result.labels, rules, centres),
        report={
            "k_table": {"chosen": k, **asdict(table)},
            "populations": grouping.populations(matrix),
            "drift": grouping.drift(matrix, result, training.previous),
            "projection": grouping.projection(ordinals, x, parameters.features, training.seed),
        },
    )


KMEANS = Kind(KMeansParameters, check, train, features=lambda parameters: pointed(parameters.features))
