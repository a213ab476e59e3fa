"""How many spoiled labels the scan page reads: `make reading` prints the table.

The pictures of tests/degraded.py go through the page's own decoder (zxing-wasm in its
worker, in headless Chromium), one after the other as a camera would bring them, each
looked at in the way that is next in the page's round. The table of docs/scanning.md is
this one. Knows nothing of how pictures are made or read.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import uvicorn
from litestar import Litestar, get
from playwright.async_api import Page, Route, async_playwright

from routes import assets
from routes.headers import headers
from tests import degraded

FRAMES = 6
"""One round of looks: about half a second before a camera."""

READ = """async ([count, frames, ways]) => {
    const { ROUND, ZxingDecoder } = await import('/static/js/decoder.js');
    const decoder = new ZxingDecoder();
    const told = [];
    for (let label = 0; label < count; label += 1) {
        const reads = [];
        for (let frame = 0; frame < frames; frame += 1) {
            const answer = await fetch(`/degraded/${label}/${frame}`);
            const picture = await createImageBitmap(await answer.blob());
            const way = ways[frame % ways.length] ?? ROUND[frame % ROUND.length];
            const began = performance.now();
            const { width, height } = picture;
            const found = await decoder.look(picture, width, height, way);
            const ms = performance.now() - began;
            reads.push({ codes: found.map(({ rawValue }) => rawValue), ms });
            picture.close();
            if (found.length) break;
        }
        told.push(reads);
    }
    return told;
}"""


@dataclass(frozen=True)
class Result:
    """What became of one label: after how many pictures it was read, and by what."""

    frames: int | None
    by_qr: bool
    milliseconds: float
    foreign: bool
    """Something was read that does not stand on the label."""


async def read(
    page: Page,
    labels: Sequence[tuple[degraded.Look, int]],
    frames: int = FRAMES,
    ways: Sequence[str] = (),
) -> list[Result]:
    """Show each label, a look and a seed, so many pictures long or until it is read.

    Without `ways` it is looked at in the page's own round.
    """

    async def picture(route: Route) -> None:
        label, frame = map(int, route.request.url.split("/")[-2:])
        seen = degraded.see(*labels[label], frame)
        await route.fulfill(body=seen.jpeg(), content_type="image/jpeg")

    await page.route("**/degraded/**", picture)
    told = await page.evaluate(READ, [len(labels), frames, list(ways)])
    await page.unroute("**/degraded/**")
    return [
        _result(reads, *degraded.says(seed))
        for reads, (_, seed) in zip(told, labels, strict=True)
    ]


def _result(reads: list[dict[str, Any]], code: str, number: str) -> Result:
    codes = set(reads[-1]["codes"])
    return Result(
        frames=len(reads) if codes & {code, number} else None,
        by_qr=code in codes,
        milliseconds=statistics.mean(each["ms"] for each in reads),
        foreign=bool(codes - {code, number}),
    )


@get("/", media_type="text/html")
async def _stage() -> str:
    return "<!doctype html><title>Reading</title>"


@asynccontextmanager
async def _serving() -> AsyncIterator[str]:
    """Serve the page's scripts and nothing else."""
    app = Litestar([_stage, assets.static, assets.package_file], after_request=headers)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


async def _measure(labels: int, eye: str, ways: list[str]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    everything: list[Result] = []
    async with _serving() as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = await browser.new_page(base_url=address)
        await page.goto("/")
        print(f"{'':16}" + "".join(f"{grade:>24}" for grade in degraded.GRADES))
        for place, (kind, looks) in enumerate(degraded.KINDS.items()):
            cells = []
            for grade, look in enumerate(looks):
                through = replace(look, eye=getattr(degraded, eye)) if eye else look
                seeds = range(labels)
                some = [(through, 10_000 * place + 1000 * grade + n) for n in seeds]
                results = await read(page, some, ways=ways)
                everything += results
                cells.append(_told(results))
            print(f"{kind:16}" + "".join(f"{cell:>24}" for cell in cells), flush=True)
        await browser.close()
    print(f"{'all':16}{_told(everything):>24}")
    pace = statistics.median(each.milliseconds for each in everything)
    wrong = sum(each.foreign for each in everything)
    print(f"A look takes {pace:.0f} ms. Read wrongly: {wrong}.")


def _told(results: Sequence[Result]) -> str:
    found = [each.frames for each in results if each.frames is not None]
    at_once = sum(each == 1 for each in found)
    share = [f"{100 * n / len(results):3.0f} %" for n in (at_once, len(found))]
    proven = 100 * sum(each.by_qr for each in results) / len(results)
    return " ".join((*share, f"QR {proven:3.0f} %"))


def main() -> int:
    """Measure as many labels as one has the patience for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--labels", type=int, default=10, help="of each kind and grade")
    asked.add_argument("--eye", default="", help="HD, FULL_HD or VGA for all kinds")
    asked.add_argument("--ways", nargs="*", default=[], help="not the page's own round")
    said = asked.parse_args()
    asyncio.run(_measure(said.labels, said.eye, said.ways))
    return 0


if __name__ == "__main__":
    sys.exit(main())
