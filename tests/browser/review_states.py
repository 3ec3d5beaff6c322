"""Campaigns in states that the demonstration's own is not in: its rows under other ids, with other results."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import psycopg
from psycopg.rows import DictRow, dict_row

from deploy.embedded.stack import Stack
from services.evaluation.domain.catalogue import NET_INFLOW
from services.evaluation.domain.health import Observed, Reserve, Told, health
from services.evaluation.domain.uplift import Scores, Trial, judge
from services.evaluation.queries.documents import health as told_health
from services.evaluation.queries.response_models import document
from shared.contracts.evaluation import CampaignResult
from shared.ids import new_id

SHARES = {"call": 0.9, "": 0.1}
LEAKING = Observed(
    {"call": 900, "": 100},
    1000,
    contacted=7,
    reserve=Reserve(0.02, 4950, 99, [(Told("存量唤醒", "Waking the dormant"), 90)]),
)


@dataclass(frozen=True)
class States:
    """Ids of campaigns, by the state of their review."""

    withheld: UUID
    no_hold_out: UUID
    not_evaluated: UUID
    modelled: UUID
    unsure: UUID
    """Of which a model says nothing."""


@contextmanager
def review_states(stack: Stack, like: UUID) -> Iterator[States]:
    """As long as it lasts; `like` is an evaluated campaign."""
    states = States(*(new_id() for _ in range(5)))
    url = stack.postgres.url("evaluation", "postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        # Nobody may change a registration; these are taken away again.
        connection.execute("SET session_replication_role = replica")
        _write(connection, states, like)
        try:
            yield states
        finally:
            ids = list(vars(states).values())
            for table in ("response_model", "result", "course", "registration"):
                connection.execute(
                    psycopg.sql.SQL("DELETE FROM {} WHERE campaign_id = ANY(%s)").format(
                        psycopg.sql.Identifier(table)
                    ),
                    [ids],
                )


def _write(connection: psycopg.Connection[DictRow], states: States, like: UUID) -> None:
    result = connection.execute(
        "SELECT document FROM result WHERE campaign_id = %s ORDER BY evaluated_at DESC LIMIT 1", [like]
    ).fetchone()
    assert result is not None
    evaluated = CampaignResult.model_validate(result["document"])
    for name, campaign_id in vars(states).items():
        _register(connection, like, campaign_id, name)
    withheld = told_health(health(SHARES, LEAKING))
    alone = told_health(health({"call": 1.0}, Observed({"call": 1000}, 1000)))
    for campaign_id, found in ((states.withheld, withheld), (states.no_hold_out, alone)):
        gone = {"primary": None, "money": None, "stopping": None, "scripts": None, "guardrails": []}
        _keep(
            connection, campaign_id, evaluated.model_copy(update={**gone, "breakdown": [], "health": found})
        )
    for campaign_id, strength in ((states.modelled, 3.0), (states.unsure, 0.0)):
        _keep(connection, campaign_id, evaluated)
        _keep_model(connection, campaign_id, strength)


def _register(connection: psycopg.Connection[DictRow], like: UUID, campaign_id: UUID, name: str) -> None:
    """Long ago, so that the demonstration's own stays the first of every list."""
    hold_out = b"0" if name == "no_hold_out" else b"0.1"
    connection.execute(
        """
        INSERT INTO registration
        SELECT (jsonb_populate_record(r, jsonb_build_object('campaign_id', %s::uuid, 'key', %s::text,
            'name', %s::jsonb, 'launched_at', r.launched_at - interval '300 days',
            'plan', jsonb_set(r.plan, '{hold_out}', %s::jsonb)))).*
        FROM registration AS r WHERE campaign_id = %s
        """,
        [
            campaign_id,
            f"state-{name.replace('_', '-')}",
            orjson.dumps({"zh": f"状态 {name}", "en": f"State {name}"}).decode(),
            hold_out.decode(),
            like,
        ],
    )
    connection.execute("INSERT INTO course (campaign_id, state) VALUES (%s, 'running')", [campaign_id])


def _keep(connection: psycopg.Connection[DictRow], campaign_id: UUID, result: CampaignResult) -> None:
    own = result.model_copy(update={"id": new_id(), "campaign_id": campaign_id})
    connection.execute(
        "INSERT INTO result (id, campaign_id, evaluated_at, document) VALUES (%s, %s, %s, %s::jsonb)",
        [own.id, campaign_id, own.evaluated_at, own.model_dump_json()],
    )


def _keep_model(connection: psycopg.Connection[DictRow], campaign_id: UUID, strength: float) -> None:
    """Of customers whose true effect the scores know, or do not."""
    rng = np.random.default_rng(7)
    expected = rng.normal(200, 400, 2_000)
    robust = strength * expected + rng.normal(0, 9_000, 2_000)
    treated = np.arange(2_000) % 10 > 0
    trial = Trial(np.zeros((2_000, 1)), 1, treated, robust, np.full(2_000, 0.9), proportion=False)
    found: Any = judge(trial, Scores(expected, robust), 1, 0.05)
    model = document(new_id(), campaign_id, NET_INFLOW, found, datetime.now(UTC), 7)
    connection.execute(
        "INSERT INTO response_model (id, campaign_id, fitted_at, document) VALUES (%s, %s, %s, %s::jsonb)",
        [model.id, campaign_id, model.fitted_at, model.model_dump_json()],
    )
