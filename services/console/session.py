"""Who is signed in at the console. The token stays on the server; the browser holds a session cookie."""

from dataclasses import dataclass

from nicegui import app
from pydantic import TypeAdapter

from services.console.i18n import DEFAULT, LANGUAGES, Language
from shared.auth import HEAD_OFFICE, Principal, Role

PERSONAL_READERS = (Role.manager, Role.branch_head)
"""Who may see personal data in clear, or search by it."""


@dataclass(frozen=True)
class User:
    token: str
    id: str
    name: str
    roles: frozenset[Role]
    org: str
    staff: str | None

    def has(self, *roles: Role) -> bool:
        return Role.admin in self.roles or not self.roles.isdisjoint(roles)

    @property
    def at_head_office(self) -> bool:
        return self.org == HEAD_OFFICE

    def covers(self, org: str) -> bool:
        """Whether it is theirs or lies below it."""
        return self.org in {HEAD_OFFICE, org} or org.startswith(f"{self.org}.")


_USER = TypeAdapter(User)


def signed_in() -> User | None:
    stored = app.storage.user.get("user")
    return None if stored is None else _USER.validate_python(stored)


def sign_in(token: str, principal: Principal) -> User:
    user = User(
        token=token,
        id=principal.id,
        name=principal.name or principal.id,
        roles=principal.roles,
        org=principal.org,
        staff=principal.staff,
    )
    app.storage.user["user"] = _USER.dump_python(user, mode="json")
    return user


def sign_out() -> None:
    app.storage.user.pop("user", None)


def language() -> Language:
    stored = app.storage.user.get("language", DEFAULT)
    return next((known for known in LANGUAGES if known == stored), DEFAULT)


def choose_language(chosen: Language) -> None:
    app.storage.user["language"] = chosen
