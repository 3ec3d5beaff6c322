"""A provider that remembers every submission, and does not always answer."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Provider:
    """`taken` counts how often each message was taken; `answered` has those whose sender was told so."""

    seed: int
    slowness: float
    url: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    """Taken, and the answer was not given: it broke off, or said that something went wrong."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def throw(self) -> tuple[float, float]:
        with self._lock:
            return self._dice.random(), self._dice.uniform(0.2, 1.0) * self.slowness

    def take(self, message: str) -> None:
        with self._lock:
            self.taken[message] += 1

    def note(self, message: str, *, told: bool) -> None:
        with self._lock:
            (self.answered if told else self.lost).add(message)


@contextmanager
def provider(seed: int, slowness: float) -> Iterator[Provider]:
    """`slowness`: seconds an answer takes at most."""
    record = Provider(seed, slowness)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message = str(json.loads(body)["id"])
            chance, wait = record.throw()
            time.sleep(wait)
            if chance < 0.03:
                # Too many: not taken, and it may come again.
                self._answer(429)
                return
            record.take(message)
            if chance < 0.05:
                record.note(message, told=False)
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            record.note(message, told=self._answer(500 if chance < 0.07 else 202) and chance >= 0.07)

        def _answer(self, status: int) -> bool:
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
                self.wfile.flush()
            except OSError:
                return False
            return True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is inherited
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    record.url = f"http://127.0.0.1:{server.server_address[1]}/messages"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
