"""Who may ask: checked before anything else looks at a request.

- The host that a request names is this studio's, so that a page elsewhere cannot come in by a
  name of its own that points here (DNS rebinding).
- What changes something comes from this studio's own page (CSRF).
- Beyond this machine, whoever asks knows the token.
- Every browser has a session of its own, and sees what is its own.
"""

import re
import secrets
from collections.abc import Collection
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SESSION = re.compile(r"[\w-]{32}")
# Nothing but our own files, and no code within the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Lets a request through, or answers it with one sentence; notes whose it is in its state.

    Args:
        token: that has to be known; "" for none.
        hosts: that may be named; empty for any, which needs a token.
        mark: of this studio's cookies: browsers give those of one port to all ports.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str], mark: str) -> None:
        assert token or hosts, "a studio for any host needs a token"
        self.app = app
        self.token = token
        self.hosts = hosts
        self.key, self.session = f"glidn-token-{mark}", f"glidn-session-{mark}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        cookies = _cookies(headers)
        owner = cookies.get(self.session, "")
        known = SESSION.fullmatch(owner) is not None
        if not known:
            owner = secrets.token_urlsafe(24)
        scope.setdefault("state", {})["owner"] = owner

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out[name] = value
                out.setdefault("Cache-Control", "no-store")
                if not known:
                    out.append("Set-Cookie", _cookie(self.session, owner))
            await send(message)

        answer = self._answer(scope, headers, cookies)
        await (answer or self.app)(scope, receive, send_guarded)

    def _answer(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        """Where a request may not go on; None where it may."""
        if self.hosts and _hostname(headers.get("host", "")) not in self.hosts:
            return _refused(421, "this studio is not known by that name; use its own address.")
        if self.token:
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if scope["path"] == "/" and self._fits(given):
                # Out of the address, which ends up in histories and on screens.
                answer = RedirectResponse("/", 303)
                answer.headers.append("Set-Cookie", _cookie(self.key, self.token))
                return answer
            shown = headers.get("x-glidn-token") or cookies.get(self.key, "")
            if not self._fits(shown):
                return _refused(
                    401, "open the studio by the address that it printed, with ?token= at its end."
                )
        if scope["method"] not in ("GET", "HEAD") and not _own(headers):
            return _refused(403, "this was asked by another page, and was not done.")
        return None

    def _fits(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


def _own(headers: Headers) -> bool:
    """Whether a request comes from our page, or from no page at all."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _cookies(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value)
    return found


def _cookie(name: str, value: str) -> str:
    made: SimpleCookie = SimpleCookie({name: value})
    made[name]["path"] = "/"
    made[name]["httponly"] = True
    made[name]["samesite"] = "Strict"
    return made[name].OutputString()


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
