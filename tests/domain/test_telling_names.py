"""Names that tell of secrets: one list for logs, rendered fields, the API and its pages."""

import pytest

from flowd.domain.telling_names import may_be_secret, sounds_secret


@pytest.mark.parametrize(
    "name", ["db_password", "API_KEY", "secret_x", "passphrase", "service_account_json", "keyfile_dict", "credentials"]
)
def test_names_that_tell(name: str) -> None:
    assert sounds_secret(name) and may_be_secret(name)


@pytest.mark.parametrize("name", ["bucket", "row_count", "region"])
def test_names_that_do_not(name: str) -> None:
    assert not sounds_secret(name) and not may_be_secret(name)


def test_any_key_is_hidden_where_it_stands_and_masked_nowhere_else() -> None:
    assert may_be_secret("aws_access_key_id") and not sounds_secret("aws_access_key_id")
