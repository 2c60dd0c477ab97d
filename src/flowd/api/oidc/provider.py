"""Provider: the document, the keys and the token endpoint of an OpenID Connect provider."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from flowd.api.oidc.id_token import UnknownKey, read_id_token
from flowd.api.oidc.intent import Intent
from flowd.clock import Clock
from flowd.domain.errors import Unauthorised, Unavailable
from flowd.settings.model import OidcSettings, is_safe_url

TIMEOUT_SECONDS = 10.0
FRESH_SECONDS = 3600.0
"""How long the provider's document and keys are believed without asking anew."""

ASKED_ANEW_SECONDS = 60.0
"""How often at most keys are asked for because a token named one that is unknown: anybody can make such a token."""

MOST_TOLD = 200
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """Speaks to the provider. It remembers its document and its keys, and nothing of anybody."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._document: Mapping[str, Any] = {}
        self._document_at: float | None = None
        self._keys: Mapping[str, Any] = {}
        self._keys_at: float | None = None

    async def login_url(self, intent: Intent, redirect_uri: str) -> str:
        """Return where a browser is sent to log in; raise Unavailable where the provider does not answer."""
        document = await self._known()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": intent.state,
            "nonce": intent.nonce,
            "code_challenge": intent.challenge,
            "code_challenge_method": "S256",
        }
        url: str = document["authorization_endpoint"]
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

    async def redeem(self, code: str, intent: Intent, redirect_uri: str) -> Mapping[str, Any]:
        """Return the claims of whoever has logged in with this code.

        Raises Unauthorised where the provider refuses the code or its ID token is not as it must be, Unavailable where
        it does not answer.
        """
        document = await self._known()
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": intent.verifier,
        }
        answer = await self._ask("POST", document["token_endpoint"], **self._as_client(given))
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unauthorised("the provider sent no ID token; FLOWD__OIDC__SCOPES must hold openid")
        claims = await self._read(token, intent)
        return await self._with_userinfo(claims, answer.get("access_token"))

    async def _read(self, token: str, intent: Intent) -> Mapping[str, Any]:
        document = await self._known()

        def read() -> Mapping[str, Any]:
            return read_id_token(
                token,
                self._keys,
                issuer=document["issuer"],
                client_id=self._settings.client_id,
                nonce=intent.nonce,
                now_seconds=self._clock.now().timestamp(),
            )

        await self._fetch_keys(FRESH_SECONDS)
        try:
            return read()
        except UnknownKey:
            await self._fetch_keys(ASKED_ANEW_SECONDS)
        try:
            return read()
        except UnknownKey as error:
            raise Unauthorised(f"the ID token is signed by a key that is none of the provider's ({error})") from error

    async def _with_userinfo(self, claims: Mapping[str, Any], access_token: Any) -> Mapping[str, Any]:
        """The claims, with what the provider tells only to whoever asks once more, if something is missing."""
        wanted = (self._settings.username_claim, self._settings.groups_claim)
        url = self._document.get("userinfo_endpoint")
        is_complete = all(name.partition(".")[0] in claims for name in wanted)
        if is_complete or not isinstance(access_token, str) or not isinstance(url, str) or not is_safe_url(url):
            return claims
        more = await self._ask("GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if more.get("sub") != claims["sub"]:
            raise Unauthorised("the provider told about another person than the one who has logged in")
        return {**more, **claims}

    def _as_client(self, given: dict[str, str]) -> dict[str, Any]:
        client_id, secret = self._settings.client_id, self._settings.client_secret
        if secret is None:
            return {"data": {**given, "client_id": client_id}}
        methods = self._document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in methods:
            # RFC 6749, 2.3.1: both are encoded as in a form before they are put together.
            return {"data": given, "auth": (quote(client_id, safe=""), quote(secret.get_secret_value(), safe=""))}
        return {"data": {**given, "client_id": client_id, "client_secret": secret.get_secret_value()}}

    async def _known(self) -> Mapping[str, Any]:
        """The provider's document (OpenID Connect Discovery 1.0)."""
        if not self._is_fresh(self._document_at, FRESH_SECONDS):
            issuer = self._settings.issuer
            document = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer:
                raise Unavailable(
                    f"the OpenID Connect provider at {issuer} calls itself {document.get('issuer')!r}; set"
                    " FLOWD__OIDC__ISSUER to exactly that, if it is the right one"
                )
            for name in _ENDPOINTS:
                if not isinstance(document.get(name), str) or not is_safe_url(document[name]):
                    raise Unavailable(
                        f"the OpenID Connect provider at {issuer} has {document.get(name)!r} as {name}; wanted https://"
                    )
            self._document, self._document_at = document, self._clock.monotonic()
        return self._document

    async def _fetch_keys(self, older_than_seconds: float) -> None:
        if self._is_fresh(self._keys_at, older_than_seconds):
            return
        keys = await self._ask("GET", self._document["jwks_uri"])
        if not isinstance(keys.get("keys"), list):
            raise Unavailable(f"the OpenID Connect provider at {self._settings.issuer} has no keys at its jwks_uri")
        self._keys, self._keys_at = keys, self._clock.monotonic()

    def _is_fresh(self, at: float | None, seconds: float) -> bool:
        return at is not None and self._clock.monotonic() - at < seconds

    async def _ask(self, method: str, url: str, **options: Any) -> Mapping[str, Any]:
        issuer = self._settings.issuer
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
                answer = await client.request(method, url, **options)
            found = answer.json()
        except httpx.HTTPError as error:
            why = type(error).__name__
            raise Unavailable(f"the OpenID Connect provider {issuer} does not answer: {why}") from error
        except ValueError as error:
            raise Unavailable(
                f"the OpenID Connect provider {issuer} answered {answer.status_code} and no JSON at {url}"
            ) from error
        if not isinstance(found, dict):
            raise Unavailable(f"the OpenID Connect provider {issuer} answered no JSON object at {url}")
        if answer.status_code == 200:
            return found
        if answer.status_code >= 500:
            raise Unavailable(f"the OpenID Connect provider {issuer} answered {answer.status_code} at {url}")
        raise Unauthorised(refusal(found.get("error"), found.get("error_description")))


def refusal(error: Any, description: Any) -> str:
    """Return in words what a provider has refused (RFC 6749, 4.1.2.1 and 5.2)."""
    advice = {
        "invalid_client": "; check FLOWD__OIDC__CLIENT_ID and FLOWD__OIDC__CLIENT_SECRET",
        "redirect_uri_mismatch": "; the callback's address must be registered there",
    }.get(str(error), "")
    told = f" ({str(description)[:MOST_TOLD]})" if description else ""
    return f"the provider refused: {str(error)[:MOST_TOLD]}{told}{advice}"
