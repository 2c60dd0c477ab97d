"""Logging in through an OpenID Connect provider: a real one, and everything that it, or somebody between, may send."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from flowd.api.oidc.id_token import LEEWAY_SECONDS, UnknownKey, read_id_token
from flowd.api.oidc.intent import COOKIE as INTENT
from flowd.api.oidc.intent import LIFETIME
from flowd.api.oidc.membership import membership_of
from flowd.db.accounts import Accounts
from flowd.db.metastore import Metastore
from flowd.domain.errors import Unauthorised
from flowd.security.account_role import AccountRole
from flowd.settings.model import OidcSettings
from tests.api.cluster import Cluster, a_cluster
from tests.api.test_event_logs import logged
from tests.support.oidc_provider import ProviderProcess, a_provider

CALLBACK = "/login/oidc/callback"
# The provider runs in this process, and its libraries warn of their own next versions.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderProcess]:
    """A provider with the people of these tests."""
    people: dict[str, dict[str, Any]] = {
        "1": {"preferred_username": "ada", "groups": ["ops", "sales"]},
        "2": {"preferred_username": "bob", "groups": ["strangers"]},
        "3": {"preferred_username": "viewer", "groups": ["ops"]},
        "4": {"groups": ["ops"]},
    }
    with a_provider(people) as running:
        yield running


@pytest.fixture
async def site(sqlite_metastore: Metastore, tmp_path: Path, provider: ProviderProcess) -> AsyncIterator[Cluster]:
    """A cluster whose people log in at the provider."""
    settings = {
        "FLOWD__OIDC__ISSUER": provider.issuer,
        "FLOWD__OIDC__CLIENT_ID": "flowd",
        "FLOWD__OIDC__CLIENT_SECRET": "a-client-secret",
        "FLOWD__OIDC__OP_GROUPS": "ops",
        "FLOWD__API__PUBLIC_URL": "http://flowd.test",
    }
    async with a_cluster(sqlite_metastore, tmp_path, given=settings) as made:
        yield made


async def at_provider(browser: httpx.AsyncClient, subject: str, next: str = "/dags") -> str:
    """Go to the provider, log in there, and return where it sends the browser back to."""
    sent = await browser.get("/login/oidc", params={"next": next})
    assert sent.status_code == 303, sent.text
    async with httpx.AsyncClient() as outside:
        answer = await outside.post(sent.headers["Location"], data={"sub": subject})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    assert back.path == CALLBACK
    return f"{back.path}?{back.query}"


async def test_somebody_logs_in_and_is_what_their_groups_make_of_them(site: Cluster) -> None:
    browser = site.anonymous
    assert "Log in with single sign-on" in (await browser.get("/login")).text

    back = await browser.get(await at_provider(browser, "1"))

    assert (back.status_code, back.headers["Location"]) == (303, "/dags"), back.text
    account = await Accounts(site.metastore).get("ada")
    assert (account.role, account.groups, account.has_password) == (AccountRole.OP, ("ops", "sales"), False)
    assert "ada · Op" in (await browser.get("/dags")).text
    assert INTENT not in browser.cookies
    events = [(one["event"], one["owner"]) for one in await logged(site)]
    assert events == [("provision_user", "ada"), ("login", "ada")]


async def test_the_request_has_state_nonce_and_a_challenge_that_the_code_is_redeemed_with(
    site: Cluster, provider: ProviderProcess
) -> None:
    location = (await site.anonymous.get("/login/oidc")).headers["Location"]

    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert (asked["response_type"], asked["client_id"]) == ("code", "flowd")
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    assert min(len(asked["state"]), len(asked["nonce"])) >= 43 and asked["state"] != asked["nonce"]
    assert asked["redirect_uri"] == f"http://flowd.test{CALLBACK}"
    await site.anonymous.get(await at_provider(site.anonymous, "1"))
    challenge, verifier = provider.last_exchange()
    assert urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode() == challenge


async def refused(site: Cluster, path: str, words: str, status: int = 401) -> None:
    answer = await site.anonymous.get(path)
    assert answer.status_code == status, answer.text
    assert words in answer.text.replace("&#39;", "'"), answer.text
    assert (await site.anonymous.get("/dags")).status_code == 303


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("2", "which gives no role here; an Admin names one in FLOWD__OIDC__VIEWER_GROUPS"),
        ("4", "the provider tells no 'preferred_username' of '4'"),
    ],
)
async def test_who_has_no_role_or_no_name_is_told_what_to_do(site: Cluster, subject: str, words: str) -> None:
    await refused(site, await at_provider(site.anonymous, subject), words)


async def test_a_name_that_somebody_has_here_is_not_taken_over(site: Cluster) -> None:
    await refused(site, await at_provider(site.anonymous, "3"), "there is a user 'viewer' already", 409)

    assert (await Accounts(site.metastore).get("viewer")).role is AccountRole.VIEWER


async def test_an_answer_without_its_login_is_refused(site: Cluster) -> None:
    browser = site.anonymous
    back = await at_provider(browser, "1")
    kept = browser.cookies[INTENT]
    browser.cookies.clear()
    await refused(site, back, "this browser has begun no login")

    browser.cookies.set(INTENT, kept[:-2], path="/login/oidc")
    await refused(site, back, "this browser has begun no login")
    browser.cookies.clear()

    browser.cookies.set(INTENT, kept, path="/login/oidc")
    await refused(site, back.replace("state=", "state=x"), "belongs to another login")


async def test_a_code_is_good_once_and_in_time(site: Cluster) -> None:
    browser = site.anonymous
    back = await at_provider(browser, "1")
    kept = browser.cookies[INTENT]
    assert (await browser.get(back)).status_code == 303
    browser.cookies.clear()

    browser.cookies.set(INTENT, kept, path="/login/oidc")
    await refused(site, back, "the provider refused: invalid_grant")


async def test_what_the_provider_refuses_is_told(site: Cluster) -> None:
    path = f"{CALLBACK}?error=access_denied&error_description=<b>no</b>"
    await refused(site, path, "the provider refused: access_denied (&lt;b&gt;no&lt;/b&gt;)")
    await refused(site, f"{CALLBACK}?code=x&state=y&iss=http://other", "the answer is of the provider 'http://other'")


async def test_who_is_shut_out_stays_out_whatever_the_provider_says(site: Cluster) -> None:
    await site.anonymous.get(await at_provider(site.anonymous, "1"))
    await Accounts(site.metastore).change("ada", is_active=False)

    await refused(site, await at_provider(site.anonymous, "1"), "the user 'ada' is not active")


@pytest.mark.parametrize("elsewhere", ["//evil.test", "https://evil.test"])
async def test_a_login_through_the_provider_never_leads_to_another_site(site: Cluster, elsewhere: str) -> None:
    back = await site.anonymous.get(await at_provider(site.anonymous, "1", elsewhere))

    assert back.headers["Location"] == "/"


async def test_a_provider_that_is_away_is_said_to_be(sqlite_metastore: Metastore, tmp_path: Path) -> None:
    settings = {"FLOWD__OIDC__ISSUER": "http://127.0.0.1:9", "FLOWD__OIDC__CLIENT_ID": "flowd"}
    async with a_cluster(sqlite_metastore, tmp_path, given=settings) as site:
        answer = await site.anonymous.get("/login/oidc")

    assert answer.status_code == 503
    assert "the OpenID Connect provider http://127.0.0.1:9 does not answer: ConnectError" in answer.text


async def test_without_a_provider_there_is_no_such_login(cluster: Cluster) -> None:
    assert "Log in with" not in (await cluster.anonymous.get("/login")).text
    assert (await cluster.anonymous.get("/login/oidc")).status_code == 404


KEY, OTHER = (RSAKey.generate_key(2048, {"kid": name}, private=True) for name in ("a", "b"))
KEYS = {"keys": [KEY.as_dict(private=False)]}
NOW = 1_800_000_000
GOOD: Mapping[str, Any] = {
    "iss": "https://id.test",
    "aud": "flowd",
    "sub": "1",
    "nonce": "n",
    "iat": NOW,
    "exp": NOW + 300,
}


def read(claims: Mapping[str, Any], *, key: Any = KEY, alg: str = "RS256", kid: str = "a") -> Mapping[str, Any]:
    token = jwt.encode({"alg": alg, "kid": kid}, dict(claims), key, algorithms=[alg])
    return read_id_token(token, KEYS, issuer="https://id.test", client_id="flowd", nonce="n", now_seconds=NOW)


def test_a_good_id_token_is_believed() -> None:
    assert read(GOOD)["sub"] == "1"
    assert read({**GOOD, "aud": ["flowd", "x"], "azp": "flowd"})["sub"] == "1"
    assert read({**GOOD, "exp": NOW - LEEWAY_SECONDS})["sub"] == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"iss": "https://evil.test"}, "iss is 'https://evil.test'; wanted 'https://id.test'"),
        ({"aud": "other"}, "aud is 'other'; wanted 'flowd'"),
        ({"aud": ["flowd", "other"]}, "azp is None; wanted 'flowd'"),
        ({"azp": "other"}, "azp is 'other'"),
        ({"nonce": "m"}, "its nonce is not the one that was sent"),
        ({"nonce": None}, "its nonce is not the one that was sent"),
        ({"exp": NOW - LEEWAY_SECONDS - 1}, "is not of now"),
        ({"exp": None}, "is not of now"),
        ({"iat": NOW + LEEWAY_SECONDS + 1}, "is not of now"),
        ({"sub": ""}, "sub is ''"),
    ],
)
def test_an_id_token_that_is_not_for_this_login_is_not(change: Mapping[str, Any], words: str) -> None:
    with pytest.raises(Unauthorised, match=words.replace("[", r"\[")):
        read({**GOOD, **change})


def test_an_id_token_that_another_key_has_signed_is_not_believed() -> None:
    with pytest.raises(Unauthorised, match="is not signed by the provider's keys"):
        read(GOOD, key=OTHER)
    with pytest.raises(UnknownKey):
        read(GOOD, key=OTHER, kid="b")
    # Signed with what both sides would have to know, under the name of a key that is public.
    shared = OctKey.import_key(b"s" * 32)
    with pytest.raises(Unauthorised, match="is not signed by the provider's keys"):
        read(GOOD, key=shared, alg="HS256")


def test_an_id_token_that_nobody_has_signed_is_not_believed() -> None:
    parts = [urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in ({"alg": "none"}, GOOD)]
    with pytest.raises(Unauthorised, match="is not signed by the provider's keys"):
        read_id_token(".".join([*parts, ""]), KEYS, issuer="i", client_id="c", nonce="n", now_seconds=NOW)


def settings_of(**given: str) -> OidcSettings:
    return OidcSettings.model_validate(given)


@pytest.mark.parametrize(
    ("groups", "given", "role"),
    [
        (["a", "b"], {"admin_groups": "a", "viewer_groups": "*"}, AccountRole.ADMIN),
        (["b"], {"admin_groups": "a", "viewer_groups": "*"}, AccountRole.VIEWER),
        ("a", {"user_groups": "x,a"}, AccountRole.USER),
        ([], {"op_groups": "*"}, AccountRole.OP),
    ],
)
def test_the_highest_role_that_some_group_gives_is_theirs(
    groups: Any, given: dict[str, str], role: AccountRole
) -> None:
    claims = {"sub": "1", "preferred_username": "ada", "groups": groups}

    assert membership_of(claims, settings_of(**given)).role is role


def test_claims_inside_of_others_are_found_and_groups_that_are_called_as_roles_are_not_kept() -> None:
    claims = {"sub": "1", "email": "a@x", "realm_access": {"roles": ["Admin", "dev"]}}
    settings = settings_of(username_claim="email", groups_claim="realm_access.roles", user_groups="dev")

    found = membership_of(claims, settings)

    assert (found.username, found.groups, found.role) == ("a@x", ("dev",), AccountRole.USER)
    with pytest.raises(Unauthorised, match="the provider has not verified the address 'a@x'"):
        membership_of({**claims, "email_verified": False}, settings)


def test_a_login_may_take_ten_minutes() -> None:
    assert LIFETIME.total_seconds() == 600
