"""Files that pages load.

Our own, and the npm packages they need, all from our own origin.
"""

from pathlib import Path

from litestar import Response, get
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File
from litestar.static_files import create_static_files_router

from routes.shell import PACKAGES, STATIC, TYPES, shell

OPEN_PACKAGES = frozenset({"zxing-wasm"})
"""What may be fetched from ``node_modules``; the rest is nobody's business."""

static = create_static_files_router(
    path="/static",
    directories=[STATIC],
    include_in_schema=False,
    # Asked for anew each time: pages name their files by version (see `versioned`).
    cache_control=CacheControlHeader(no_cache=True),
)


@get(
    "/v/{version:str}/{path:path}",
    include_in_schema=False,
    sync_to_thread=False,
)
def versioned(version: FromPath[str], path: FromPath[str]) -> Response[bytes]:
    """Serve one of our files by the version that a page was made with.

    A browser may keep it for ever; a page of an older version gets today's file, which
    it may not keep.
    """
    now = shell()
    name = str(path).lstrip("/")
    if name not in now.files:
        raise NotFoundException
    kept = "public, max-age=31536000, immutable"
    return Response(
        now.files[name],
        media_type=TYPES[Path(name).suffix],
        headers={"Cache-Control": kept if version == now.version else "no-store"},
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
