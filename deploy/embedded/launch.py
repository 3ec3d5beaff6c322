"""Become the program named on the command line, tied to the life of the process that asked for it.

    python -I -S launch.py '{"parent": 42, "signal": 2, "uid": null, "gid": null}' program argument…

Runs between fork and exec, as its own tiny program, because doing this in the forked child of a threaded
Python is unsafe. Linux sends `signal` when the parent dies, so that a killed supervisor leaves nothing.
Stands alone: imports nothing but the standard library, and no site-packages.
"""

import ctypes
import json
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522


class CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main() -> None:
    order = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if order["uid"] is not None:
        become(order["uid"], order["gid"], reach_everywhere=order["reach_everywhere"])
    if sys.platform == "linux":
        # After setuid, which clears it.
        libc().prctl(PR_SET_PDEATHSIG, int(order["signal"]), 0, 0, 0)
    if os.getppid() != order["parent"]:
        sys.exit(1)  # the parent died before the line above took effect
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    os.execv(command[0], command)  # noqa: S606  the whole point


def become(uid: int, gid: int, *, reach_everywhere: bool) -> None:
    """Drop root. With `reach_everywhere`, keep the one capability that opens directories closed to others:
    a checkout below /root must work without making /root readable to everybody.
    """
    if reach_everywhere:
        libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if reach_everywhere:
        _ = keep(CAP_DAC_READ_SEARCH) or keep(CAP_DAC_OVERRIDE)


def keep(capability: int) -> bool:
    """Carry one capability over exec; False where the container never had it."""
    header = CapHeader(LINUX_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    data = (CapData * 2)(CapData(bit, bit, bit), CapData(0, 0, 0))
    if libc().capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        return False
    return bool(libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
