"""What makes the pages an app: its worker, its manifest, and the page for no network.

The list of files that a phone keeps is made from the files themselves.
"""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.response import Template

from routes.language import language
from routes.shell import WORKER, shell

PAGES = ["/scan", "/day"]
"""Pages that do their work without a network; a phone keeps the last copy of each."""

AWAY = "/offline"


@get("/sw.js", include_in_schema=False, sync_to_thread=False)
def service_worker() -> Response[bytes]:
    """Serve the worker, with the list of files of this version before it."""
    now = shell()
    told = {
        "version": now.version,
        "files": now.precached(),
        "pages": PAGES,
        "away": AWAY,
    }
    script = b"self.SHELL = " + msgspec.json.encode(told) + b";\n" + now.files[WORKER]
    return Response(
        script,
        media_type="text/javascript",
        headers={"Cache-Control": "no-cache", "Service-Worker-Allowed": "/"},
    )


@get("/manifest.webmanifest", include_in_schema=False, sync_to_thread=False)
def manifest(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Tell a phone what it installs."""
    vietnamese = language(request) == "vi"
    address = shell().address
    icons = [
        {
            "src": address(f"/static/icons/app-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
        }
        for size in (192, 512)
    ]
    told = {
        "id": "/scan",
        "name": "Postal Track: quét và giữ hồ sơ"
        if vietnamese
        else "Postal Track: scan and hold dossiers",
        "short_name": "Postal Track",
        "lang": "vi" if vietnamese else "en",
        "start_url": "/scan",
        "scope": "/",
        "display": "standalone",
        "orientation": "portrait",
        "background_color": "#14366e",
        "theme_color": "#14366e",
        "icons": [
            *icons,
            icons[-1]
            | {
                "src": address("/static/icons/app-maskable-512.png"),
                "purpose": "maskable",
            },
        ],
        "shortcuts": [
            {"name": "Quét nhãn" if vietnamese else "Scan", "url": "/scan"},
            {"name": "Đang giữ" if vietnamese else "Held", "url": "/held"},
        ],
    }
    return Response(
        msgspec.json.encode(told),
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )


@get(AWAY, include_in_schema=False)
async def away_page() -> Template:
    """Say in both languages that there is no network, and what works without it."""
    return Template("offline.html")


ROUTES = [service_worker, manifest, away_page]
