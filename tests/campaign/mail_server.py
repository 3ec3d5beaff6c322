"""A mail server of our own, on threads, that answers as it is told."""

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass
class MailServer:
    tls: ssl.SSLContext | None = None
    """Offered as STARTTLS; from the first byte with `implicit`."""
    implicit: bool = False
    starttls: bool = True
    login: tuple[str, str] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    """Beginning of a command, in upper case → what is answered instead; empty: hang up. `.` is the mail's end."""
    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    sessions: int = 0
    encrypted: bool = False

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.sessions += 1
            connection.settimeout(20)
            with suppress(OSError, ValueError):
                self._converse(connection)
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        if self.implicit and self.tls is not None:
            with self.tls.wrap_socket(connection, server_side=True) as secured:
                self.encrypted = True
                self._commands(secured)
        elif self._commands(connection) == "STARTTLS" and self.tls is not None:
            with self.tls.wrap_socket(connection, server_side=True) as secured:
                self.encrypted = True
                self._commands(secured, greet=False)

    def _commands(self, connection: socket.socket, *, greet: bool = True) -> str:
        with connection.makefile("rwb", buffering=0) as stream:
            if greet and not self._say(stream, "GREETING", "220 mail.test"):
                return ""
            while line := stream.readline():
                command = line.decode().strip()
                verb = command.upper()
                if not self._say(stream, verb, self._usual(verb, command, plain=greet)):
                    return ""
                if verb == "STARTTLS" and self.tls is not None:
                    return verb
                if verb == "DATA" and not self._told("DATA") and not self._take(stream):
                    return ""
                if verb == "QUIT":
                    return ""
        return ""

    def _usual(self, verb: str, command: str, *, plain: bool) -> str:
        if verb.startswith("EHLO"):
            offers = ["mail.test", "8BITMIME"]
            offers += ["STARTTLS"] if self.starttls and self.tls and plain else []
            offers += ["AUTH PLAIN"] if self.login else []
            return "\r\n".join(f"250{'-' if each != offers[-1] else ' '}{each}" for each in offers)
        if verb.startswith("AUTH PLAIN"):
            _, user, password = base64.b64decode(command.split()[2]).decode().split("\0")
            return "235 in" if (user, password) == self.login else f"535 not {user} by {password}"
        if verb.startswith("RCPT"):
            self.recipients.append(command)
        return {"DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 go on"}.get(verb, "250 ok")

    def _take(self, stream: BinaryIO) -> bool:
        lines = []
        while (line := stream.readline()) and line != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.mails.append(b"".join(lines))
        return self._say(stream, ".", "250 queued as 4711")

    def _told(self, verb: str) -> bool:
        return any(verb.startswith(each) for each in self.answers)

    def _say(self, stream: BinaryIO, verb: str, usual: str) -> bool:
        said = next((text for each, text in self.answers.items() if verb.startswith(each)), usual)
        if said:
            stream.write(f"{said}\r\n".encode())
        return bool(said)


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=[listener], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
