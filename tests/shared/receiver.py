"""An HTTP server of our own that receives webhooks, in the process of the test."""

import asyncio
import base64
import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        return dict(orjson.loads(self.body))

    def signed_by(self, secret: str) -> bool:
        """As a receiver checks it, by the text of the specification and not by our code."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.{self.body.decode()}".encode()
        expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
        given = [part.split(",", 1) for part in self.headers["webhook-signature"].split(" ")]
        return any(kind == "v1" and hmac.compare_digest(value, expected) for kind, value in given)


@dataclass
class Receiver:
    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: dict[str, list[bytes]] = field(default_factory=dict)
    """Of each event's requests, first to last: no other event takes them."""
    otherwise: bytes = field(default_factory=lambda: answer(204))
    gate: asyncio.Event | None = None
    """While it is not set, requests are read and not answered."""
    open: int = 0
    most_open: int = 0

    def of(self, event_id: object) -> list[Received]:
        return [request for request in self.received if request.id == str(event_id)]

    def answer_to(self, event_id: object, *answers: bytes) -> None:
        self.answers[str(event_id)] = list(answers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {
                    name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                request = Received(headers, body)
                self.received.append(request)
                if self.gate is not None:
                    await self.gate.wait()
                self.open -= 1
                programmed = self.answers.get(request.id)
                writer.write(programmed.pop(0) if programmed else self.otherwise)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answer(status: int, body: str = "", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} X", f"content-length: {len(body.encode())}", *lines])
    return f"{head}\r\n\r\n{body}".encode()


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if context else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        if receiver.gate is not None:
            receiver.gate.set()
        server.close()
