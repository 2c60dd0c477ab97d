"""A real OpenID Connect provider on loopback, in a thread: oidc-provider-mock, with a gate that holds to PKCE."""

import importlib
import io
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from werkzeug.serving import make_server
from werkzeug.wrappers import Request

with warnings.catch_warnings():
    # It warns of its own libraries' next versions while it is loaded.
    warnings.simplefilter("ignore")
    oidc_provider_mock: Any = importlib.import_module("oidc_provider_mock")


@dataclass
class ProviderProcess:
    """Where it is, and what came through its gate."""

    issuer: str = ""
    challenges: list[str] = field(default_factory=list)
    verifiers: list[str] = field(default_factory=list)

    def last_exchange(self) -> tuple[str, str]:
        """Return the last challenge that a browser brought, and the last verifier that a code was redeemed with."""
        return self.challenges[-1], self.verifiers[-1]


@contextmanager
def a_provider(people: Mapping[str, Mapping[str, Any]]) -> Iterator[ProviderProcess]:
    """A provider that lets in these people, by their subject, until the context ends."""
    users = [oidc_provider_mock.User(sub=subject, claims=dict(claims)) for subject, claims in people.items()]
    running = ProviderProcess()
    app = oidc_provider_mock.app(require_nonce=True, user_claims=users)

    def gate(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.endswith("/authorize") and "code_challenge" in request.args:
            running.challenges.append(request.args["code_challenge"])
        if request.path.endswith("/token"):
            body = request.get_data(parse_form_data=False, cache=True).decode()
            running.verifiers += parse_qs(body).get("code_verifier", [])
            # What has been read is put back for the provider.
            environ["wsgi.input"] = io.BytesIO(body.encode())
        answer: Iterable[bytes] = app(environ, start)
        return answer

    server = make_server("127.0.0.1", 0, gate, threaded=True)
    running.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
