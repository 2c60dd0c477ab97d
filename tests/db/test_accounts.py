"""People: their passwords, roles and one-time login links."""

import asyncio
from datetime import timedelta

import pytest

from flowd.db.accounts import Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.metastore import Metastore
from flowd.domain.errors import Conflict, InvalidInput, MetastoreUnavailable, NotFound, Unauthorised
from flowd.security.account_role import AccountRole


@pytest.fixture
def accounts(metastore: Metastore) -> Accounts:
    return Accounts(metastore)


@pytest.fixture
def links(metastore: Metastore) -> LoginLinks:
    return LoginLinks(metastore)


async def test_somebody_logs_in_with_their_password_and_with_no_other(accounts: Accounts) -> None:
    made = await accounts.create("ada", AccountRole.OP, "correct horse")

    assert await accounts.authenticate("ada", "correct horse") == made
    assert made.role is AccountRole.OP and made.has_password and made.is_active
    for username, password in [("ada", "correct horsE"), ("ada", ""), ("bob", "correct horse")]:
        with pytest.raises(Unauthorised, match="the user name or the password is wrong"):
            await accounts.authenticate(username, password)


async def test_the_metastore_never_sees_a_password(accounts: Accounts, metastore: Metastore) -> None:
    await accounts.create("ada", AccountRole.USER, "correct horse")

    async with metastore.reading() as tx:
        stored = (await tx.execute("SELECT password_hash FROM account")).scalar_one()
    assert stored.startswith("$argon2id$") and "horse" not in stored


async def test_a_name_is_taken_once(accounts: Accounts) -> None:
    outcomes = await asyncio.gather(
        *(accounts.create("ada", AccountRole.USER, None) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Account", "Conflict", "Conflict"]
    with pytest.raises(Conflict, match="user 'ada' exists already"):
        await accounts.create("ada", AccountRole.USER, None)


@pytest.mark.parametrize(("username", "password"), [("", "x"), (" ada", "x"), ("a" * 251, "x"), ("ada", "")])
async def test_a_bad_name_or_password_is_refused(accounts: Accounts, username: str, password: str) -> None:
    with pytest.raises(InvalidInput, match="wanted 1 to"):
        await accounts.create(username, AccountRole.USER, password)


async def test_the_admin_is_made_once_and_keeps_the_first_password(accounts: Accounts) -> None:
    made = await asyncio.gather(accounts.ensure_admin("first"), accounts.ensure_admin("first"))
    again = await accounts.ensure_admin("second")

    assert {one.username for one in (*made, again)} == {"admin"}
    assert (await accounts.authenticate("admin", "first")).role is AccountRole.ADMIN
    with pytest.raises(Unauthorised):
        await accounts.authenticate("admin", "second")


async def test_a_password_and_a_role_can_be_changed(accounts: Accounts) -> None:
    await accounts.create("ada", AccountRole.VIEWER, "old")

    await accounts.set_password("ada", "new")
    await accounts.set_role("ada", AccountRole.ADMIN)

    assert (await accounts.authenticate("ada", "new")).role is AccountRole.ADMIN
    with pytest.raises(Unauthorised):
        await accounts.authenticate("ada", "old")


async def test_accounts_are_listed_by_name_until_they_are_deleted(accounts: Accounts) -> None:
    for name in ("zoe", "ada"):
        await accounts.create(name, AccountRole.USER, None)
    before = [one.username for one in await accounts.list()]

    await accounts.delete("ada")

    assert before == ["ada", "zoe"]
    assert [one.username for one in await accounts.list()] == ["zoe"]


async def test_who_does_not_exist_is_named(accounts: Accounts, links: LoginLinks) -> None:
    for action in (
        accounts.get("eve"),
        accounts.delete("eve"),
        accounts.set_password("eve", "x"),
        accounts.set_role("eve", AccountRole.OP),
        links.issue("eve"),
    ):
        with pytest.raises(NotFound, match="there is no user 'eve'"):
            await action


async def test_an_account_without_a_password_has_none_that_fits(accounts: Accounts) -> None:
    made = await accounts.create("ada", AccountRole.USER, None)

    assert not made.has_password
    with pytest.raises(Unauthorised):
        await accounts.authenticate("ada", "the password of nobody")


async def test_a_login_link_works_once_whoever_comes_at_the_same_time(accounts: Accounts, links: LoginLinks) -> None:
    await accounts.create("ada", AccountRole.USER, None)
    token = await links.issue("ada")

    outcomes = await asyncio.gather(*(links.redeem(token) for _ in range(3)), return_exceptions=True)

    assert sorted(str(outcome) for outcome in outcomes)[0] == "ada"
    assert [type(outcome).__name__ for outcome in outcomes].count("Unauthorised") == 2


async def test_a_login_link_that_expired_or_was_made_up_is_refused(accounts: Accounts, links: LoginLinks) -> None:
    await accounts.create("ada", AccountRole.USER, None)

    for token in (await links.issue("ada", timedelta(seconds=-1)), "made-up", ""):
        with pytest.raises(Unauthorised, match="wrong, expired or used already"):
            await links.redeem(token)


async def test_the_metastore_never_sees_a_login_link_and_forgets_the_expired(
    accounts: Accounts, links: LoginLinks, metastore: Metastore
) -> None:
    await accounts.create("ada", AccountRole.USER, None)
    await links.issue("ada", timedelta(seconds=-1))
    token = await links.issue("ada")

    async with metastore.reading() as tx:
        ((stored,),) = await tx.execute("SELECT token_hash FROM login_link")
    assert token not in stored


async def test_a_new_password_and_a_deletion_void_the_links_of_before(accounts: Accounts, links: LoginLinks) -> None:
    await accounts.create("ada", AccountRole.USER, None)
    first = await links.issue("ada")
    await accounts.set_password("ada", "new")
    second = await links.issue("ada")
    await accounts.delete("ada")

    for token in (first, second):
        with pytest.raises(Unauthorised):
            await links.redeem(token)


async def test_there_is_always_an_admin_who_is_let_in(accounts: Accounts) -> None:
    await accounts.create("ada", AccountRole.ADMIN, None)
    await accounts.create("bob", AccountRole.ADMIN, None)
    await accounts.change("bob", is_active=False)

    for attempt in (
        accounts.set_role("ada", AccountRole.OP),
        accounts.change("ada", is_active=False),
        accounts.delete("ada"),
    ):
        with pytest.raises(Conflict, match="user 'ada' is the last Admin; make another one first"):
            await attempt

    await accounts.change("bob", is_active=True)
    await accounts.delete("ada")
    assert [one.username for one in await accounts.list()] == ["bob"]


async def test_of_two_admins_who_shut_each_other_out_at_the_same_time_one_stays(accounts: Accounts) -> None:
    await accounts.create("ada", AccountRole.ADMIN, None)
    await accounts.create("bob", AccountRole.ADMIN, None)

    outcomes = await asyncio.gather(
        *(accounts.change(name, is_active=False) for name in ("ada", "bob")), return_exceptions=True
    )

    (refused,) = (one for one in outcomes if one is not None)
    assert isinstance(refused, Conflict | MetastoreUnavailable)
    assert len([one for one in await accounts.list() if one.is_active]) == 1


@pytest.mark.parametrize("name", ["a/b", "a\x00b", "a\u202eb"])
async def test_a_name_that_no_path_or_page_can_show_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidInput, match="has a slash or a character that cannot be seen"):
        await accounts.create(name, AccountRole.USER, None)
