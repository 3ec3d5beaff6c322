"""What is wrong with a rule, and where."""

from typing import ClassVar

from shared.errors import FieldError, Unprocessable


class RuleError(Unprocessable):
    """The rule cannot be used. `errors[0].pointer` names the place; for SQL the detail has the position."""

    slug: ClassVar[str] = "rule-invalid"
    title: ClassVar[str] = "The rule is not valid"

    def __init__(self, detail: str, pointer: str, *, slug: str | None = None) -> None:
        super().__init__(detail, errors=[FieldError(pointer, detail)], slug=slug)
