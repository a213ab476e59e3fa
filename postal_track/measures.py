"""How the service is doing, in figures: for ``/health`` and ``/metrics``."""

from prometheus_client import generate_latest

from postal_track.database import transaction


async def health() -> dict[str, object]:
    """Ask the parts how they are."""
    async with transaction() as connection:
        await connection.fetchval("SELECT 1")
    return {"database": "ok"}


async def exposition() -> bytes:
    """Write all figures in Prometheus' text format."""
    return generate_latest()
