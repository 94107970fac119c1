"""The local page: HTTP on 127.0.0.1 for one person, with a token that other pages cannot know.

Every address begins with a token of 256 random bits. The Host header must be this server's own, so that no
other name can be pointed at it; a request that changes anything must say that it comes from this page
(Origin) and be JSON, which no form of another page can send. Requests are bounded in size and time.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Lock
from typing import Any

from ivm_ros.grounding import Grounding, Image, InvalidInstructionError
from ivm_ros.labelling import answers
from ivm_ros.labelling.maps import MAX_PNG_BYTES, LabelError
from ivm_ros.labelling.session import Ask, Session

HOST = "127.0.0.1"
MAX_BODY = 2 * MAX_PNG_BYTES
_SECONDS = 30.0  # that a request may take to arrive
_PAGE = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "paint.js": ("paint.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RefusedError(Exception):
    """A request that is not answered; the status and why."""

    def __init__(self, status: HTTPStatus, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class LabelServer(ThreadingHTTPServer):
    """Serve a session.

    Args:
        session: what is labelled.
        ask: the model, for words that a person changed; used by one request at a time.
        port: of `HOST`; 0 takes a free one.
    """

    daemon_threads = True

    def __init__(self, session: Session, ask: Ask, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.session = session
        self.token = secrets.token_urlsafe(32)
        self._ask, self._asking = ask, Lock()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def origins(self) -> dict[str, str]:
        """Return the hosts that it answers to -> the origin of a page from there."""
        return {host: f"http://{host}" for host in (f"{n}:{self.server_port}" for n in (HOST, "localhost"))}

    def ask(self, image: Image, words: str) -> Grounding:
        """Return the model's answer; one request at a time, as a model wants it."""
        with self._asking:
            return self._ask(image, words)


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = _SECONDS
    server_version, sys_version = "ivm-ros", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the page, the state or a picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Take a decision, or help with a mask."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal for progress; what is refused is in the answer."""

    def _answer(self, work: Callable[[str], tuple[bytes, str]]) -> None:
        try:
            body, kind = work(self._path())
            status = HTTPStatus.OK
        except RefusedError as error:
            status, body, kind = error.status, str(error).encode(), "text/plain; charset=utf-8"
        except (LabelError, InvalidInstructionError) as error:
            status, body, kind = HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain; charset=utf-8"
        except OSError as error:  # the disk is full, or a file is gone
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, str(error).encode()
            kind = "text/plain; charset=utf-8"
        if status != HTTPStatus.OK:
            self.close_connection = True  # what is left of the request is not read
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _path(self) -> str:
        """Return the path behind the token, of a request to this server under its own name."""
        if self.headers.get("Host") not in self.server.origins():
            raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "expected this server's own name in Host")
        given, _, path = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            raise RefusedError(HTTPStatus.NOT_FOUND, "expected the address that ivm-ros label printed")
        return path

    def _get(self, path: str) -> tuple[bytes, str]:
        if path in _PAGE:
            name, kind = _PAGE[path]
            return (files("ivm_ros.labelling") / "page" / name).read_bytes(), kind
        session = self.server.session
        if path == "state":
            return answers.encoded(answers.state(session)), "application/json"
        what, _, number = path.partition("/")
        if what in ("picture", "mask") and number.isascii() and number.isdigit() and len(number) < 9:
            item = session.item(int(number))
            if what == "picture":
                return (session.folder / item.picture).read_bytes(), "image/jpeg"
            return session.labels(item.number), "image/png"
        raise RefusedError(HTTPStatus.NOT_FOUND, f"there is no {path!r} here")

    def _post(self, path: str) -> tuple[bytes, str]:
        if self.headers.get("Origin") != self.server.origins()[self.headers["Host"]]:
            raise RefusedError(HTTPStatus.FORBIDDEN, "expected a request of this page, got another Origin")
        if path not in answers.POSTS:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"there is no {path!r} here")
        answer = answers.POSTS[path](self.server.session, self.server.ask, self._body())
        return answers.encoded(answer), "application/json"

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length")
        if int(length) > MAX_BODY:
            problem = f"expected at most {MAX_BODY} bytes, got {length}"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, problem)
        data = self.rfile.read(int(length))
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise LabelError(f"expected JSON, got something else: {error}") from error
        if not isinstance(values, dict):
            raise LabelError(f"expected a JSON object, got {type(values).__name__}")
        return values
