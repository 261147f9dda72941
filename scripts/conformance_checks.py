"""What schemathesis checks of our answers besides what it always does."""

from http import HTTPStatus
from typing import Any

import schemathesis

UNPROCESSABLE = 422
# What is wrong there is the header, or the whole: there is no field to name.
WITHOUT_FIELD = frozenset({"idempotency_key_reused"})


@schemathesis.check
def a_refusal_is_a_problem_that_names_its_field(_context: Any, response: Any, _case: Any) -> None:
    """Compare a refusal with RFC 9457: 422 says where the fault is."""
    if response.status_code < HTTPStatus.BAD_REQUEST:
        return
    assert response.headers["content-type"][0] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    if response.status_code == UNPROCESSABLE and problem["code"] not in WITHOUT_FIELD:
        assert problem.get("errors"), problem["detail"]
