"""How the service is: for whoever keeps it running."""

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST

from postal_track import measures


@get(
    "/health",
    summary="Live and ready",
    description=(
        "200 when the database answers. Redis and the worker are told of, but scans "
        "do not need them."
    ),
    tags=["Health"],
    security=[{}],
)
async def health() -> Response[dict[str, object]]:
    """Say whether scans can be recorded, and how the texts are doing."""
    told = await measures.health()
    return Response(told, status_code=200 if told["database"] == "ok" else 503)


@get(
    "/metrics",
    summary="Figures for Prometheus",
    tags=["Health"],
    security=[{}],
    media_type=CONTENT_TYPE_LATEST,
)
async def metrics() -> Response[bytes]:
    """Give every figure in Prometheus' text format."""
    return Response(await measures.exposition(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [health, metrics]
