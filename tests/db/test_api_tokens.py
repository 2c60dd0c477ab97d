"""API tokens: who they let in as, and until when."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from flowd.db.accounts import Accounts
from flowd.db.api_tokens import NOTED_EVERY, PREFIX, ApiTokens
from flowd.db.metastore import Metastore
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from flowd.security.account_role import AccountRole

DAY = timedelta(days=1)


@pytest.fixture
async def tokens(metastore: Metastore) -> ApiTokens:
    await Accounts(metastore).create("ada", AccountRole.OP, None, ["sales"])
    return ApiTokens(metastore)


async def test_a_token_lets_in_as_its_owner_until_it_is_revoked(tokens: ApiTokens, metastore: Metastore) -> None:
    secret, made = await tokens.create("ada", "ci", DAY)

    account = await tokens.account_of(secret, address="10.0.0.1")
    assert (account.username, account.role, account.groups) == ("ada", AccountRole.OP, ("sales",))
    (kept,) = await tokens.list()
    assert [kept] == await tokens.list("ada")
    assert replace(kept, last_used_at=None, last_used_from=None) == made
    assert kept.last_used_at is not None and kept.last_used_from == "10.0.0.1"
    assert made.expires_at - made.created_at == DAY and secret.startswith(PREFIX)
    async with metastore.reading() as tx:
        stored = (await tx.execute("SELECT token_hash FROM api_token")).scalar_one()
    assert stored not in secret

    await tokens.revoke("ada", "ci")

    assert await tokens.list() == []
    with pytest.raises(Unauthorised, match="the API token is none of this cluster's, or was revoked"):
        await tokens.account_of(secret, address="10.0.0.1")
    with pytest.raises(NotFound, match="user 'ada' has no token 'ci'"):
        await tokens.revoke("ada", "ci")


@pytest.mark.parametrize(
    ("asked", "later", "may"),
    [
        (None, AccountRole.OP, AccountRole.OP),
        (AccountRole.VIEWER, AccountRole.OP, AccountRole.VIEWER),
        # Neither grows with its owner, and both shrink with them.
        (None, AccountRole.ADMIN, AccountRole.OP),
        (AccountRole.OP, AccountRole.USER, AccountRole.USER),
    ],
)
async def test_a_token_may_do_the_less_of_what_it_was_made_for_and_what_its_owner_may(
    sqlite_metastore: Metastore, asked: AccountRole | None, later: AccountRole, may: AccountRole
) -> None:
    accounts, tokens = Accounts(sqlite_metastore), ApiTokens(sqlite_metastore)
    await accounts.create("ada", AccountRole.OP, None)
    secret, _ = await tokens.create("ada", "ci", DAY, asked)

    await accounts.set_role("ada", later)

    assert (await tokens.account_of(secret, address="10.0.0.1")).role is may


async def test_a_token_that_has_expired_lets_nobody_in(tokens: ApiTokens, metastore: Metastore) -> None:
    secret, _ = await tokens.create("ada", "ci", DAY)
    async with metastore.transaction() as tx:
        await tx.execute("UPDATE api_token SET expires_at = created_at")

    with pytest.raises(Unauthorised, match="the API token has expired"):
        await tokens.account_of(secret, address="10.0.0.1")


async def test_tokens_go_with_their_owner_and_do_not_come_back_with_the_name(
    tokens: ApiTokens, metastore: Metastore
) -> None:
    secret, _ = await tokens.create("ada", "ci", DAY)
    accounts = Accounts(metastore)

    await accounts.delete("ada")
    await accounts.create("ada", AccountRole.ADMIN, None)

    assert await tokens.list() == []
    with pytest.raises(Unauthorised):
        await tokens.account_of(secret, address="10.0.0.1")


async def test_what_cannot_be_a_token_is_refused(tokens: ApiTokens) -> None:
    await tokens.create("ada", "ci", DAY)

    with pytest.raises(Conflict, match="user 'ada' has a token 'ci' already"):
        await tokens.create("ada", "ci", DAY)
    with pytest.raises(NotFound, match="there is no user 'eve'"):
        await tokens.create("eve", "ci", DAY)
    with pytest.raises(InvalidInput, match="'ada' is Op; a token of theirs cannot be Admin"):
        await tokens.create("ada", "more", DAY, AccountRole.ADMIN)
    with pytest.raises(InvalidInput, match="'' is no name of a token"):
        await tokens.create("ada", "", DAY)
    for lifetime in (timedelta(), timedelta(days=4000)):
        with pytest.raises(InvalidInput, match="a token cannot be good for"):
            await tokens.create("ada", "b", lifetime)


async def test_a_use_from_another_address_is_an_event_and_one_from_the_same_is_not(
    tokens: ApiTokens, metastore: Metastore
) -> None:
    secret, _ = await tokens.create("ada", "ci", DAY)

    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"):
        await tokens.account_of(secret, address=address, request_id="r1")
        async with metastore.transaction() as tx:
            an_hour = NOTED_EVERY // timedelta(microseconds=1)
            await tx.execute(f"UPDATE api_token SET last_used_at = last_used_at - {an_hour}")

    async with metastore.reading() as tx:
        events = list(await tx.execute("SELECT event, owner, extra FROM audit_event ORDER BY id"))
    assert [(event, owner) for event, owner, _ in events] == [("use_api_token", "ada")] * 2
    (change,) = json.loads(events[1][2])["changes"]
    assert change["thing"] == "token ci of user ada"
    assert (change["before"], change["after"]) == ({"used_from": "10.0.0.1"}, {"used_from": "10.0.0.2"})
    assert secret not in str(events)


async def test_a_use_within_the_hour_writes_nothing(tokens: ApiTokens, metastore: Metastore) -> None:
    secret, _ = await tokens.create("ada", "ci", DAY)
    await tokens.account_of(secret, address="10.0.0.1")
    (before,) = await tokens.list()

    await tokens.account_of(secret, address="10.0.0.2")

    assert await tokens.list() == [before]
