"""Which system account PostgreSQL runs as when the supervisor is root."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from deploy.embedded.process import Account

CREATED = "huanying"
ANY_READ = stat.S_IROTH | stat.S_IXOTH


def database_account(cluster: Path, programs: Path) -> Account | None:
    """None when we are not root. Otherwise the owner of an existing cluster, so that it opens again; else
    `postgres`; else a system account made for the purpose; else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    entry = _owner(cluster) or _named("postgres") or _named(CREATED) or _create() or pwd.getpwnam("nobody")
    closed = not (_open_to_others(cluster.parent) and _open_to_others(programs))
    return Account(entry.pw_uid, entry.pw_gid, reach_everywhere=closed)


def give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _owner(path: Path) -> pwd.struct_passwd | None:
    if not path.exists() or path.stat().st_uid == 0:
        return None
    try:
        return pwd.getpwuid(path.stat().st_uid)
    except KeyError:
        return None


def _named(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd")
    if useradd is None:
        return None
    subprocess.run([useradd, "--system", "--no-create-home", CREATED], check=False, capture_output=True)
    return _named(CREATED)


def _open_to_others(path: Path) -> bool:
    """Whether every directory down to `path` can be entered, and `path` read, by anybody."""
    path = path.resolve()
    enterable = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    return enterable and path.stat().st_mode & ANY_READ == ANY_READ
