"""What the console is told beyond what every process is."""

import secrets
from pathlib import Path

from shared.settings import Settings


class ConsoleSettings(Settings):
    session_secret_file: Path | None = None
    """Signs the session cookie. Without it one is made in the data directory; replicas must share one."""
    session_cookie_https_only: bool = False
    """Set where the console is reached over TLS."""
    gateway_read_timeout_seconds: float = 300.0

    @property
    def session_dir(self) -> Path:
        """Where signed-in sessions are kept, tokens among them."""
        return self.data_dir.resolve() / "console"

    def session_secret(self) -> str:
        given = self.secret(self.session_secret_file)
        if given:
            return given
        file = self.session_dir / "session.secret"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(48), "ascii")
        return file.read_text("ascii").strip()
