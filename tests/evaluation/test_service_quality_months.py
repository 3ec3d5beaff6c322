"""A month of observations that should not have been uploaded is taken away; what was found on it stays."""

import numpy as np
import pytest

from services.evaluation.models import QualityObservation
from services.evaluation.usecases.service_quality_runs import gather
from shared.auth import Role
from shared.contracts.evaluation.service_quality import QualityModelCreate
from shared.errors import Unprocessable
from tests.evaluation.test_service_quality import created, declared, text
from tests.support import Running

LINE = "hq.sh.b00,counter,{}-03,5,4,3,2,1"


async def test_a_month_is_taken_away_and_the_others_stay(evaluation: Running) -> None:
    async with (
        evaluation.client(Role.strategist) as office,
        evaluation.client(Role.integrator) as system,
        evaluation.client(Role.branch_head, org="hq.sh") as head,
    ):
        path = await created(office, declared())
        for period in ("2026-09", "2026-10"):
            taken = await system.put(f"{path}/observations/{period}", content=text(LINE.format(period)))
            assert taken.status_code == 200, taken.text
        wrong = f"{path}/observations/2026-10"
        assert (await head.delete(wrong)).status_code == 403
        left = await system.delete(wrong)
        assert left.status_code == 200, left.text
        assert [each["period"] for each in left.json()["items"]] == ["2026-09"]
        again = await office.delete(wrong)
        assert (again.status_code, again.json()["type"]) == (404, "/problems/no-observations")
        assert (await office.delete(f"{path}-x/observations/2026-09")).status_code == 404
        assert (await office.delete(f"{path}/observations/2026-13")).status_code == 422
        listed = (await head.get(f"{path}/observations")).json()["items"]
        assert [each["rows"] for each in listed] == [{"counter": 1}]
        unknown = await office.post(f"{path}:run", json={"periods": ["2026-10"]})
        assert unknown.json()["errors"][0]["pointer"] == "/periods"


def test_a_run_that_waited_says_which_months_were_taken_away() -> None:
    model = QualityModelCreate.model_validate(declared())
    blocks = [
        QualityObservation(
            model_key=model.key,
            period="2026-09",
            business=business.key,
            org_path="hq.sh.b00",
            version=1,
            indicators=[one.key for one in business.indicators()],
            rows=1,
            values=np.arange(5.0).tobytes(),
        )
        for business in model.businesses
    ]
    found = gather(model, blocks, ["2026-09", "2026-10"])
    assert (found.periods, found.left_out) == (["2026-09"], {"2026-10": "taken away"})
    with pytest.raises(Unprocessable, match="nothing was observed"):
        gather(model, [], ["2026-10"])
