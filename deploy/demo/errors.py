"""What can go wrong in a demonstration, said so that something can be done about it."""

from deploy.embedded.errors import StackError


class DemoError(StackError):
    """The story cannot go on; the message says why."""


class RefusedError(DemoError):
    """A service answered with a problem."""

    def __init__(self, method: str, path: str, status: int, problem: str, slug: str) -> None:
        super().__init__(f"{method} {path} answered {status}: {problem}")
        self.status = status
        self.slug = slug
