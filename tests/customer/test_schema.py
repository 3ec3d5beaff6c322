"""Every operation keeps to its OpenAPI document, whatever it is sent: no 5xx, no undocumented answer.

Cases are generated from the document by schemathesis, half of them valid and half of them not; ids that
exist are put in their places, so that answers are not all 404. `make fuzz` runs many more of them.
"""

import os
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.customer.target import DOCUMENT, Target, name_in, operations

EXAMPLES = int(os.environ.get("HUANYING_FUZZ_EXAMPLES", "15"))

EXCLUDED = {
    ("get", "/metrics"): "Prometheus text without a schema; takes no input",
    ("get", "/healthz"): "takes no input and no caller",
    ("get", "/readyz"): "takes no input; says 503 when it means it",
}

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

_SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
_OPERATIONS = {
    (operation.method.lower(), operation.path): operation
    for operation in (result.ok() for result in _SCHEMA.get_all_operations())
}


def test_every_operation_is_tried() -> None:
    assert set(_OPERATIONS) == set(operations(DOCUMENT))
    assert set(EXCLUDED) <= set(_OPERATIONS)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param(method, path, id=f"{method} {path}")
        for method, path in operations(DOCUMENT)
        if (method, path) not in EXCLUDED
    ],
)
def test_it_answers_as_documented(target: Target, method: str, path: str) -> None:
    operation = _OPERATIONS[method, path]
    strategy = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    headers = {"Authorization": target.admin.headers["Authorization"]}
    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy, data=st.data())
        def check(case: Any, data: st.DataObject) -> None:
            _place_known(target, case, data)
            response = case.call(base_url=target.url, session=session, headers=headers, timeout=30)
            # A request line of 64 KiB and more is turned away before it is an operation of anything.
            assume(response.content != b"Invalid HTTP request received.")
            case.validate_response(response, checks=CHECKS)

        check()


def _place_known(target: Target, case: Any, data: st.DataObject) -> None:
    """Three times of four, an id that exists."""
    for name in list(case.path_parameters or ()):
        known = target.known.get(name_in(case.operation.path, name))
        if known and data.draw(st.integers(0, 3)):
            case.path_parameters[name] = data.draw(st.sampled_from(known))
    # Control characters are not HTTP: the server turns them away before the application sees them.
    case.headers = {name: value for name, value in (case.headers or {}).items() if value.isprintable()}
    for values in (case.query, case.body):
        if isinstance(values, dict):
            for name in values:
                known = target.known.get(_ID_FIELDS.get(name, name))
                if known and data.draw(st.booleans()):
                    values[name] = data.draw(st.sampled_from(known))


_ID_FIELDS = {"survivor": "customer_id", "event_id": "refused_id"}
