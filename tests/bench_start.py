"""How long a start takes, and how much a phone must load for the scan page."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import httpx

from postal_track.settings import ROOT
from tests.bench_house import House, first_answer, free_port, stop

# Modules, styles and pictures that a page or a module names.
_NAMED = re.compile(
    r"""(?:src|href)="(/(?:static|npm|v)/[^"]+)"|(?:from|import)\s*\(?\s*"(\.[^"]+|/[^"]+)\""""
)
_DECODER = ("/npm/zxing-wasm/",)


async def start(folder: Path) -> list[tuple[str, float, str, float, bool]]:
    """Start everything twice, in an empty folder and again; seconds to /health."""
    told = []
    for what in ("first start to /health", "next start to /health"):
        told.append((what, await _start(folder / "started"), "s", 5.0, True))
    return told


async def _start(var: Path) -> float:
    port = free_port()
    begun = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "postal_track", "run"),
        cwd=ROOT,
        env=os.environ | {"VAR_DIR": str(var), "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        await first_answer(port, "/health", child)
        spent = time.perf_counter() - begun
        # It is stopped once it has greeted, when the demo is whole.
        if child.stdout is not None:
            async for line in child.stdout:
                if b"Ctrl-C" in line:
                    break
        return spent
    finally:
        await stop(child)


async def is_there(port: int, path: str) -> bool:
    """Say whether a path answers 200."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as asked:
        return (await asked.get(path)).status_code == 200


async def page(house: House) -> tuple[str, float | None, str, float, bool, str]:
    """Load the scan page with all it names, but the decoder; kilobytes transferred."""
    what = "scan page without the decoder"
    clerk = house.tokens[1]
    loaded: dict[str, int] = {}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{house.port}",
        headers={"accept": "text/html,*/*", "accept-encoding": "gzip, br"},
        cookies={"session": clerk},
    ) as asked:
        waiting = ["/scan"]
        while waiting:
            path = waiting.pop()
            answer = await asked.get(path)
            if path == "/scan" and answer.status_code != 200:
                return what, None, "kB", 150.0, True, "not built yet"
            answer.raise_for_status()
            loaded[path] = answer.num_bytes_downloaded
            waiting += _further(path, answer) - loaded.keys() - set(waiting)
    return what, sum(loaded.values()) / 1000, "kB", 150.0, True, f"{len(loaded)} files"


def _further(path: str, answer: httpx.Response) -> set[str]:
    """Name what a page or module loads next."""
    kind = answer.headers.get("content-type", "")
    if not kind.startswith(("text/html", "text/javascript")):
        return set()
    named = {a or b for a, b in _NAMED.findall(answer.text)}
    whole = {httpx.URL(f"http://here{path}").join(one).path for one in named}
    return {one for one in whole if not one.startswith(_DECODER)}
