"""The only wiring: settings, database, routes and the look become one application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from postal_track.database import close_pool, open_pool
from postal_track.settings import settings
from postal_track.worker import hush
from routes import (
    assets,
    bags,
    booking_page,
    calls,
    citizen,
    citizen_acts,
    claim_pages,
    counter_acts,
    day,
    desk,
    desk_bulk,
    devices,
    errands,
    handover,
    health,
    held_page,
    irregular_pages,
    items,
    labels,
    lists,
    money,
    money_api,
    offline,
    orders,
    pages,
    photos,
    proofs,
    qr,
    reading_pages,
    records,
    registration,
    request_pages,
    results,
    runs,
    satchel,
    scan_page,
    scans,
    sessions,
    shifts,
    sms_pages,
    sms_receipts,
    status_api,
    units,
    wishes,
)
from routes.errors import HANDLERS
from routes.guards import Forms, Sessions
from routes.headers import headers

ROOT = Path(__file__).parent
LARGEST_REQUEST = 8 * 1024 * 1024


@asynccontextmanager
async def _with_database(app: Litestar) -> AsyncIterator[None]:
    await open_pool()
    _collect_seldom()
    try:
        yield
    finally:
        await hush()
        await close_pool()


def _collect_seldom() -> None:
    """Look for garbage seldom, and not among what was loaded at the start.

    A list of scans makes objects by the thousand and drops them by itself: looking for
    rings among them took a seventh of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _forms() -> CSRFConfig:
    secure = settings().PUBLIC_URL.startswith("https://")
    return CSRFConfig(
        secret=settings().SECRET_KEY, cookie_secure=secure, cookie_samesite="lax"
    )


def create_app() -> Litestar:
    """Put the application together; nothing is opened before it starts."""
    return Litestar(
        route_handlers=[
            *pages.ROUTES,
            *citizen.ROUTES,
            *citizen_acts.ROUTES,
            *status_api.ROUTES,
            *health.ROUTES,
            *sessions.ROUTES,
            scans.router,
            scan_page.scan_page,
            *registration.ROUTES,
            *labels.ROUTES,
            *booking_page.ROUTES,
            *orders.ROUTES,
            *qr.ROUTES,
            *items.ROUTES,
            *irregular_pages.ROUTES,
            *claim_pages.ROUTES,
            *held_page.ROUTES,
            *bags.ROUTES,
            *handover.ROUTES,
            *desk.ROUTES,
            *desk_bulk.ROUTES,
            *errands.ROUTES,
            *results.ROUTES,
            *lists.ROUTES,
            *units.ROUTES,
            *satchel.ROUTES,
            *records.ROUTES,
            *reading_pages.ROUTES,
            *shifts.ROUTES,
            *sms_pages.ROUTES,
            *sms_receipts.ROUTES,
            *calls.ROUTES,
            *wishes.ROUTES,
            *request_pages.ROUTES,
            *counter_acts.ROUTES,
            *proofs.ROUTES,
            *money.ROUTES,
            *money_api.ROUTES,
            *devices.ROUTES,
            *day.ROUTES,
            *runs.ROUTES,
            *photos.ROUTES,
            *offline.ROUTES,
            assets.static,
            assets.versioned,
            assets.package_file,
        ],
        lifespan=[_with_database],
        middleware=[Sessions, DefineMiddleware(Forms, config=_forms())],
        exception_handlers=HANDLERS,
        # Pages and scripts travel small; an answer to a scan is small already.
        compression_config=CompressionConfig(backend="gzip", exclude=["^/api/"]),
        after_request=headers,
        template_config=TemplateConfig(
            directory=ROOT / "routes" / "templates",
            engine=JinjaTemplateEngine,
            engine_callback=pages.prepare,
        ),
        request_max_body_size=LARGEST_REQUEST,
        openapi_config=OpenAPIConfig(
            title="Postal Track",
            version="0.1.0",
            description="Who holds a dossier, with proof: orders, scans, status.",
            path="/schema",
            # No page that fetches its scripts from elsewhere: the document itself, for
            # any tool.
            render_plugins=[
                JsonRenderPlugin(path=["/", "/openapi.json"]),
                YamlRenderPlugin(),
            ],
            components=Components(
                security_schemes={
                    "session": SecurityScheme(
                        type="http",
                        scheme="bearer",
                        description="From POST /api/sessions",
                    )
                }
            ),
            security=[{"session": []}],
        ),
    )


app = create_app()
