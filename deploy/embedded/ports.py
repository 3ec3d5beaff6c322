"""Free ports, and who sits on a taken one."""

import errno
import random
import socket

import psutil

from deploy.embedded.errors import StackError, TakenError

# Below the range from which the system takes ports for outgoing connections: a service that restarts must
# find its port still free.
FIRST, LAST = 20_000, 29_999


def free_port(taken: set[int] | None = None) -> int:
    """A loopback port nobody listens on, not among `taken`."""
    for candidate in random.sample(range(FIRST, LAST + 1), k=200):
        if candidate not in (taken or set()) and bind_error("127.0.0.1", candidate) is None:
            return candidate
    raise StackError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


def refuse_if_busy(host: str, port: int) -> None:
    """Raise `TakenError` naming who listens on the port, or `StackError` where it cannot be bound at all."""
    error = bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise TakenError(
            f"Port {port} on {host} is already used by {listener(port)}. Stop that program, or "
            f"choose another port: huanying up --port {port + 1}"
        )
    if error.errno == errno.EACCES:
        raise StackError(
            f"Port {port} needs more rights than this user has; choose one above 1023 with --port"
        )
    raise StackError(f"Cannot listen on {host}:{port}: {error.strerror or error}")


def bind_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port in TIME_WAIT is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def listener(port: int) -> str:
    """E.g. "process 4711 (python3 -m http.server)"; other users' processes may stay unknown."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"process {connection.pid} ({command[:120]})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another program"
