"""The least that can be served: what public pages are measured against."""

from litestar import Litestar, get


@get("/")
async def hello() -> dict[str, str]:
    """Say hello."""
    return {"hello": "world"}


app = Litestar([hello], openapi_config=None)
