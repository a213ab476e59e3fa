"""The PostgreSQL and the Redis we bring along: up, shared, killed, up again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import psutil
import pytest
from redis.asyncio import Redis as Client

from postal_track import stack
from postal_track.settings import ROOT
from postal_track.stack import Stack, StackError

GREETED = "Ctrl-C stops it."

# Uses the stack of a folder, says whose servers it found, and waits to be ended.
ANOTHER_USER = """
import sys
from pathlib import Path
from postal_track.stack import Stack
ours = Stack(Path(sys.argv[1]), durable=False)
ours.use(database=True, queue=True)
print(ours.postgres.pid(), ours.redis.pid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="postal-track-stack-"))
    place.chmod(0o755)
    yield place
    for home in (place, *place.rglob("var")):
        Stack(home).postgres.stop()
        Stack(home).redis.stop()
    left = [one.info for one in psutil.process_iter(["cmdline"]) if _in(place, one)]
    shutil.rmtree(place)
    assert left == [], "a test leaves nothing running"


def _in(place: Path, process: psutil.Process) -> bool:
    return str(place) in " ".join(process.info["cmdline"] or ())


@pytest.fixture
def ours(folder: Path) -> Stack:
    """A stack that is up."""
    up = Stack(folder / "var", durable=False)
    up.use(database=True, queue=True)
    return up


@pytest.fixture
def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = folder / "elsewhere"
    monkeypatch.setattr(stack, "ELSEWHERE", place)
    return place


async def ask(up: Stack, question: str) -> Any:
    connection = await asyncpg.connect(dsn=up.postgres.url())
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def pong(up: Stack) -> bool:
    client = Client.from_url(up.redis.url())
    try:
        return bool(await client.ping())
    finally:
        await client.aclose()


def names_of(place: Path) -> set[str]:
    return {thing.name for thing in place.iterdir()}


def kill(pid: int | None) -> None:
    assert pid is not None
    victim = psutil.Process(pid)
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)


def another_user(up: Stack) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER_USER, str(up.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def found_by(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def end(user: subprocess.Popen[str]) -> None:
    user.communicate()
    assert user.returncode == 0


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postal_track", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_both_come_up_in_an_empty_folder(ours: Stack) -> None:
    assert await ask(ours, "SHOW server_encoding") == "UTF8"
    assert await pong(ours)


async def test_none_but_the_owner_may_come_near(ours: Stack) -> None:
    assert await ask(ours, "SHOW listen_addresses") == ""
    for private in (ours.postgres.home, ours.redis.folder):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700


async def test_a_commit_survives_a_killed_database(folder: Path) -> None:
    up = Stack(folder)
    up.use(database=True, queue=False)
    await ask(up, "CREATE TABLE kept AS SELECT 'a dossier' AS what")
    kill(up.postgres.pid())
    up.use(database=True, queue=False)
    assert await ask(up, "SELECT what FROM kept") == "a dossier"
    up.leave()


async def test_the_number_of_a_killed_database_may_be_in_use_again(ours: Stack) -> None:
    note = ours.postgres.home / "postmaster.pid"
    kill(ours.postgres.pid())
    # What a restarted container finds: the number now belongs to somebody else.
    old = note.read_text().split("\n", 1)
    note.write_text(f"{os.getpid()}\n{old[1]}")
    ours.use(database=True, queue=True)
    assert await ask(ours, "SELECT 1") == 1


async def test_a_killed_redis_comes_up_over_its_old_socket(ours: Stack) -> None:
    kill(ours.redis.pid())
    assert ours.redis.socket.exists()
    ours.use(database=True, queue=True)
    assert await pong(ours)


async def test_a_birth_that_was_cut_short_is_begun_again(folder: Path) -> None:
    up = Stack(folder, durable=False)
    draft = folder / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    up.use(database=True, queue=False)
    assert await ask(up, "SELECT current_database()") == stack.DATABASE
    assert not draft.exists()


def test_several_that_start_at_once_share_one_stack(folder: Path) -> None:
    up = Stack(folder, durable=False)
    users = [another_user(up) for _ in range(4)]
    found = {found_by(user) for user in users}
    assert found == {f"{up.postgres.pid()} {up.redis.pid()}"}
    for user in users:
        end(user)


def test_the_last_to_leave_puts_out_the_light(ours: Stack) -> None:
    other = Stack(ours.folder, durable=False)
    other.use(database=True, queue=True)
    ours.leave()
    assert other.postgres.answers()
    assert other.redis.answers()
    other.leave()
    assert not other.postgres.answers()
    assert not other.redis.answers()


def test_a_killed_user_does_not_keep_the_light_on(ours: Stack) -> None:
    user = another_user(ours)
    assert found_by(user)
    user.kill()
    user.communicate()
    ours.leave()
    assert ours.postgres.pid() is None
    assert ours.redis.pid() is None


def test_leaving_twice_is_leaving_once(ours: Stack) -> None:
    ours.leave()
    ours.leave()
    assert ours.postgres.pid() is None


async def test_a_long_way_to_the_folder_is_no_hindrance(folder: Path) -> None:
    up = Stack(folder / ("a-long-name-" * 10) / "and one with spaces", durable=False)
    up.use(database=True, queue=True)
    assert await ask(up, "SELECT 1") == 1
    assert await pong(up)
    up.leave()
    short = Path(parse_qs(urlsplit(up.postgres.url()).query)["host"][0])
    assert not names_of(short.parent) & {short.name, up.redis.socket.name}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts it as another user")
async def test_root_keeps_the_data_where_its_user_may_go(
    folder: Path, elsewhere: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    up = Stack(closed / "var", durable=False)
    up.use(database=True, queue=True)
    assert await ask(up, "SELECT 1") == 1
    assert up.postgres.home.parent == elsewhere
    assert f"the database is kept in {up.postgres.home}" in capfd.readouterr().err
    up.leave()
    again = Stack(closed / "var", durable=False)
    again.use(database=True, queue=False)
    assert again.postgres.home == up.postgres.home
    again.leave()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts it as another user")
async def test_root_copies_binaries_its_user_may_not_reach(
    folder: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below a home that only its owner may enter."""
    tree = stack._postgres_binaries().parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    package = closed / tree.parent.name
    shutil.copytree(tree, package / tree.name, symlinks=True)
    libraries = tree.parent.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, closed / libraries.name)
    hidden = package / tree.name / "bin"
    monkeypatch.setattr(stack, "_beside", lambda *_: hidden)
    assert stack._postgres_binaries().is_relative_to(elsewhere)
    assert len(names_of(elsewhere)) == 1
    up = Stack(folder / "var", durable=False)
    up.use(database=True, queue=False)
    assert await ask(up, "SELECT 1") == 1
    assert len(names_of(elsewhere)) == 1
    up.leave()


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(StackError, match=r"cannot be written \(.+\): set VAR_DIR"):
        Stack(folder / "file" / "var").use(database=True, queue=True)


def test_what_postgres_says_is_passed_on(ours: Stack) -> None:
    ours.leave()
    with (ours.postgres.home / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    with pytest.raises(StackError, match=r"does not start: .*shared_buffers"):
        ours.use(database=True, queue=False)


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = command("run", PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Port {port} of 127.0.0.1 cannot be used (Address already in use): "
        "stop what listens there, or set PORT.\n"
    )


@pytest.mark.parametrize("word", ["run", "migrate"])
def test_a_database_out_of_reach_is_said(word: str, free_port: int) -> None:
    nobody = f"postgresql://nobody:hush@127.0.0.1:{free_port}/none"
    done = command(word, DATABASE_URL=nobody, PORT=str(free_port))
    assert done.returncode == 1
    assert done.stderr.startswith("The database does not answer; is DATABASE_URL right")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


def test_a_redis_out_of_reach_is_said(migrated: None, free_port: int) -> None:
    nobody = f"redis://127.0.0.1:{free_port}"
    database = os.environ["DATABASE_URL"].replace("_test", "")
    done = command("run", REDIS_URL=nobody, DATABASE_URL=database, PORT=str(free_port))
    assert done.returncode == 1
    assert done.stderr.startswith("Redis does not answer; is REDIS_URL right")
    assert done.stderr.count("\n") == 1


def test_a_wrong_setting_is_said_before_anything_starts(folder: Path) -> None:
    done = command("run", PORT="x", VAR_DIR=str(folder / "var"))
    assert done.returncode == 1
    assert done.stderr == "PORT must be a whole number from 1 to 65535.\n"
    assert not (folder / "var").exists()


@pytest.fixture
def whole(folder: Path, free_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`postal-track run` in an empty folder, up to the last line of its greeting."""
    away = {name: value for name, value in os.environ.items() if "_URL" not in name}
    asked = {"VAR_DIR": str(folder), "PORT": str(free_port), "WEB_PROCESSES": "1"}
    log = folder / "said"
    with log.open("w") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "postal_track", "run"],
            cwd=ROOT,
            env=away | asked,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: started.poll() is not None or GREETED in log.read_text())
        assert started.poll() is None, log.read_text()
        yield started
    finally:
        started.kill()
        started.wait()


def below(parent: subprocess.Popen[bytes], word: str) -> psutil.Process:
    """The child that has this word in its command."""
    return next(
        child
        for child in psutil.Process(parent.pid).children()
        if word in child.cmdline()
    )


def test_one_command_starts_all_mends_it_and_stops_it(
    whole: subprocess.Popen[bytes], folder: Path, free_port: int
) -> None:
    health = f"http://127.0.0.1:{free_port}/health"
    assert httpx.get(health).status_code == 200
    up = Stack(folder)
    for pid in (up.postgres.pid(), up.redis.pid()):
        kill(pid)
    wait_until(lambda: up.postgres.answers() and up.redis.answers())
    wait_until(lambda: httpx.get(health).status_code == 200)
    children = psutil.Process(whole.pid).children(recursive=True)
    whole.send_signal(signal.SIGTERM)
    assert whole.wait(30) == 0
    assert not [child for child in children if child.is_running()]
    assert up.postgres.pid() is None
    assert up.redis.pid() is None


def test_a_child_that_dies_ends_all_with_a_sentence(
    whole: subprocess.Popen[bytes], folder: Path
) -> None:
    web = below(whole, "uvicorn")
    below(whole, "arq").kill()
    assert whole.wait(30) == 1
    assert (folder / "said").read_text().splitlines()[-1] == (
        "The worker has ended by itself (exit code -9); everything else is stopped."
    )
    assert not web.is_running()
    assert Stack(folder).postgres.pid() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the children")
def test_killed_it_takes_its_children_along(whole: subprocess.Popen[bytes]) -> None:
    children = [below(whole, word) for word in ("uvicorn", "arq")]
    whole.kill()
    for child in children:
        child.wait(30)


def test_the_tools_of_others_work_alone_and_leave_no_server_behind(
    folder: Path, free_port: int
) -> None:
    away = {name: value for name, value in os.environ.items() if "_URL" not in name}
    alone = away | {"VAR_DIR": str(folder)}
    tool = Path(sys.executable).with_name

    for words in (
        ("piccolo", "migrations", "forwards", "postal_track"),
        ("arq", "--burst", "postal_track.worker.WorkerSettings"),
    ):
        done = subprocess.run(
            [tool(words[0]), *words[1:]],
            cwd=ROOT,
            env=alone,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert Stack(folder).postgres.pid() is None

    web = subprocess.Popen(
        [tool("litestar"), "run", "--port", str(free_port)],
        cwd=ROOT,
        env=alone,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: web.poll() is not None or answers(free_port))
        assert httpx.get(f"http://127.0.0.1:{free_port}/health").status_code == 200
    finally:
        web.terminate()
        web.wait(30)
    assert Stack(folder).postgres.pid() is None
    assert Stack(folder).redis.pid() is None


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
