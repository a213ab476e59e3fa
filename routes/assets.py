"""Files that pages load.

Our own, and the npm packages they need, all from our own origin.
"""

from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File
from litestar.static_files import create_static_files_router

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "node_modules"

OPEN_PACKAGES = frozenset({"zxing-wasm"})
"""What may be fetched from ``node_modules``; the rest is nobody's business."""

TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".css": "text/css",
}

static = create_static_files_router(
    path="/static",
    directories=[HERE / "static"],
    include_in_schema=False,
    cache_control=None,
)


@get("/npm/{path:path}", include_in_schema=False, sync_to_thread=False)
def package_file(path: FromPath[str]) -> Response[object]:
    """Serve one file of an npm package that a page needs."""
    asked = Path(str(path).lstrip("/"))
    file = (PACKAGES / asked).resolve()
    allowed = asked.parts and asked.parts[0] in OPEN_PACKAGES and asked.suffix in TYPES
    if not allowed or not file.is_relative_to(PACKAGES.resolve()) or not file.is_file():
        raise NotFoundException
    return File(
        file,
        media_type=TYPES[asked.suffix],
        content_disposition_type="inline",
        headers={"Cache-Control": "public, max-age=86400"},
    )
