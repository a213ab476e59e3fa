"""Headers that every answer carries: what a page may load, what nobody keeps."""

from litestar import Response

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)

_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
}


# Async, since Litestar would hand a plain function to a thread for every answer.
async def headers(response: Response[object]) -> Response[object]:
    """Add them to an answer of a handler."""
    return complete(response)


def complete(response: Response[object]) -> Response[object]:
    """Add what is missing to an answer.

    A page with a token in its address must not tell it to anyone.
    """
    for name, value in _ALWAYS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
