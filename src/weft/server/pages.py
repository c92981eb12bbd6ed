"""The web pages: the files that the build of ``ui/`` made, and one document for every address of a page.

Rules:

1. Anybody may read them: they hold no data, and what they show they ask of the API, as whoever looks.
2. The document's ``<base>`` is the way back from the address that was asked to the service's root, so the
   pages work below any prefix that a proxy takes away, and nobody has to say which.
3. The policy allows nothing from elsewhere and no code but the build's. What has a hash in its name is kept
   by browsers for good; the document is asked for again each time.
"""

import gzip
import mimetypes
from functools import cached_property
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from weft.model.errors import NotFound
from weft.model.tokens import Role
from weft.server.routing import read

BUILT = Path(__file__).parent / "ui"
"""Where the build puts the pages."""

HEAD = "<!--weft-head-->"
"""The place in the document for what each answer has of its own."""

HASHED = "static/"
"""Where the files are that have a hash of their content in their names. There are no pages below it."""

FOR_GOOD = "public, max-age=31536000, immutable"
AGAIN = "no-cache"

NOT_BUILT = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{HEAD}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weft</title>
</head>
<body>
<main>
<h1>Weft is running</h1>
<p>Its pages were not built: install Weft from a wheel, or run <code>make ui</code> in the source folder.
The command line works against it, and so does its API:</p>
<ul>
<li><a href="api/v1/status">how it is</a></li>
<li><a href="api/v1/runs">runs</a></li>
<li><a href="api/v1/workflows">workflows</a></li>
<li><a href="api/v1/openapi.json">the API's description (OpenAPI)</a></li>
</ul>
</main>
</body>
</html>
"""


class Built:
    """What a build made. One that is made while the service runs is served from then on.

    Args:
        folder: Where it is. It may be missing: then a document says so.
    """

    def __init__(self, folder: Path = BUILT) -> None:
        self._folder = folder
        self._read = Edition(folder)

    def edition(self) -> "Edition":
        """The build as it is now."""
        if self._read.signature != _signature(self._folder):
            self._read = Edition(self._folder)
        return self._read


class Edition:
    """One build.

    Args:
        folder: Where it is.

    Attributes:
        signature: Tells it from another build in the same folder.
        document: The document, with the place for what each answer has of its own.
        files: Every other file, by its path below the root.
    """

    def __init__(self, folder: Path) -> None:
        self.signature = _signature(folder)
        self.document = NOT_BUILT if self.signature is None else (folder / "index.html").read_text("utf-8")
        found = (each for each in folder.rglob("*") if each.is_file() and each.name != "index.html")
        paths = {each.relative_to(folder).as_posix(): each for each in found}
        self.files = {path: File(path, file) for path, file in paths.items()}


def _signature(folder: Path) -> tuple[int, int] | None:
    try:
        told = (folder / "index.html").stat()
    except FileNotFoundError:
        return None
    return told.st_mtime_ns, told.st_ino


class File:
    """A file of the build; it is read when it is first asked for, and packed once.

    Args:
        path: Below the root, with slashes.
        file: Where it is.
    """

    def __init__(self, path: str, file: Path) -> None:
        self.media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        self.cache_control = FOR_GOOD if path.startswith(HASHED) else AGAIN
        self._file = file

    @cached_property
    def body(self) -> bytes:
        """Its bytes."""
        return self._file.read_bytes()

    @cached_property
    def packed(self) -> bytes:
        """Its bytes, as gzip."""
        return gzip.compress(self.body, 6, mtime=0)


def root_from(path: str) -> str:
    """The relative way from an address to the service's root.

    Args:
        path: The address's path as it was sent, with a slash in front.
    """
    return "../" * (path.count("/") - 1) or "./"


FILE_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
"""What a worker may do whose script a file is: workers have their script's policy, not their document's."""


def document_policy(nonce: str) -> str:
    """What a document may load and do; ``nonce`` is for styles that components add while they run."""
    return (
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; font-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


def page_routes(pages: Built) -> list[HTTPRouteHandler]:
    """The routes of the pages."""

    def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        path = request.scope["path"]
        edition = pages.edition()
        file = edition.files.get(path[1:])
        if file is not None:
            return _file(request, file)
        if path.startswith(("/api/", f"/{HASHED}")):
            raise NotFound(f"there is no {path[:200]!r}", hint="GET /api/v1/openapi.json lists what there is")
        return _document(edition.document, request.scope["raw_path"].decode("latin-1"))

    @read("/", Role.SENDER, include_in_schema=False)
    def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give the document of the pages."""
        return answer(request)

    @read("/{path:path}", Role.SENDER, include_in_schema=False)
    def show_page_below(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give a file of the build, or the document, which shows the page of this address."""
        return answer(request)

    return [show_page, show_page_below]


def _document(document: str, path: str) -> Response[bytes]:
    nonce = token_urlsafe(16)
    head = f'<base href="{root_from(path)}"><meta property="csp-nonce" content="{nonce}" nonce="{nonce}">'
    return Response(
        document.replace(HEAD, head).encode(),
        media_type="text/html",
        headers={"content-security-policy": document_policy(nonce), "cache-control": AGAIN},
    )


def _file(request: Request[Any, Any, Any], file: File) -> Response[bytes]:
    headers = {
        "cache-control": file.cache_control,
        "content-security-policy": FILE_POLICY,
        "vary": "accept-encoding",
    }
    packs = "gzip" in request.headers.get("accept-encoding", "")
    if packs:
        headers["content-encoding"] = "gzip"
    return Response(file.packed if packs else file.body, media_type=file.media_type, headers=headers)
