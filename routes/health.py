"""How the service is: for whoever keeps it running."""

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST

from postal_track import measures
from routes.openapi import answers, refuses

_FIGURES = "# TYPE process_open_fds gauge\nprocess_open_fds 14.0\n"


@get(
    "/health",
    summary="Live and ready",
    description=(
        "200 when the database answers. Redis and the worker are told of, but scans "
        "do not need them."
    ),
    tags=["Health"],
    security=[{}],
    responses=answers(200, dict[str, object], {"database": "ok"}, "Scans are recorded")
    | answers(
        503, dict[str, object], {"database": "unreachable"}, "No scan can be recorded"
    ),
)
async def health() -> Response[dict[str, object]]:
    """Say whether scans can be recorded, and how the texts are doing."""
    told = await measures.health()
    return Response(told, status_code=200 if told["database"] == "ok" else 503)


@get(
    "/metrics",
    summary="Figures for Prometheus",
    description="Every figure of this process and of the outbox, in Prometheus' text.",
    tags=["Health"],
    security=[{}],
    media_type=CONTENT_TYPE_LATEST,
    responses=answers(200, str, _FIGURES, "The figures", "text/plain") | refuses(500),
)
async def metrics() -> Response[bytes]:
    """Give every figure in Prometheus' text format."""
    return Response(await measures.exposition(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [health, metrics]
