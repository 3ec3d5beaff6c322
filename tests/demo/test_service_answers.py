"""The invented answers about service: the service takes every line, and branches can be compared by them."""

from datetime import date

import numpy as np

from deploy.demo.service_quality import ANSWERS, answers, months_before, service_model
from services.evaluation.domain.quality_results import Options, Quality
from services.evaluation.domain.service_quality import assess_quality
from services.evaluation.models import QualityObservation
from services.evaluation.usecases.service_quality_files import check_observations, read_observations
from services.evaluation.usecases.service_quality_runs import gather
from shared.contracts.evaluation.service_quality import QualityModelCreate

BRANCHES = [f"hq.sh.suzhou.b{number:02}" for number in range(4)]


def test_whole_months_before_a_day() -> None:
    assert months_before(date(2026, 3, 31)) == ["2025-12", "2026-01", "2026-02"]


def test_the_smallest_bank_can_be_compared() -> None:
    model, rng = QualityModelCreate.model_validate(service_model()), np.random.default_rng(7)
    months, blocks = months_before(date(2026, 11, 22)), []
    for month in months:
        file = answers(BRANCHES, np.linspace(-1, 1, 4), month, rng)
        checked = check_observations(read_observations(file, model), model, month)
        assert (checked.refused, checked.ignored) == (0, [])
        blocks += [
            QualityObservation(
                model_key=model.key,
                period=month,
                business=block.business,
                org_path=block.branch,
                version=1,
                indicators=block.indicators,
                rows=len(block.values),
                values=block.values.astype("<f8").tobytes(),
            )
            for block in checked.blocks
        ]
    gathered = gather(model, blocks, months)
    assert [len(sample.values) for sample in gathered.samples] == [4 * 3 * ANSWERS]
    found = assess_quality(gathered.samples, gathered.numbered(), Options(replicates=60, seed=7))
    assert isinstance(found, Quality)
    assert found.unreliable == []
    assert [path.clipped for path in found.businesses[0].paths] == [False] * 3
