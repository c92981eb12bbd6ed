"""The page at ``/`` until there is a user interface: that Weft runs, and where its API is."""

import base64
import hashlib

from litestar import Response

from weft.server.routing import read

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem;"
    "color:#1d2733;background:#fbfcfd}a{color:#0b57d0}h1{font-size:1.6rem}"
    "@media(prefers-color-scheme:dark){body{color:#e3e8ee;background:#14181d}a{color:#8ab4f8}}"
)
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weft</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Weft is running</h1>
<p>The command line works against it, and so does its API:</p>
<ul>
<li><a href="/api/v1/status">how it is</a></li>
<li><a href="/api/v1/runs">runs</a></li>
<li><a href="/api/v1/workflows">workflows</a></li>
<li><a href="/api/v1/openapi.json">the API's description (OpenAPI)</a></li>
</ul>
</main>
</body>
</html>
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@read("/", include_in_schema=False, media_type="text/html")
async def page() -> Response[str]:
    """Show that Weft runs."""
    return Response(_PAGE, media_type="text/html", headers={"content-security-policy": POLICY})
