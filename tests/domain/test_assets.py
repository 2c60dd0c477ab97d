"""The condition on asset events: its algebra, its JSON form, and what is refused."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.assets import (
    AliasSpec,
    AllOf,
    AnyOf,
    AssetCondition,
    AssetNews,
    AssetSpec,
    check_asset,
    condition_from_json,
    condition_to_json,
    is_met,
    leaves,
    news_from_json,
    news_to_json,
)
from flowd.domain.errors import InvalidDag
from tests.support.specs import conditions

A, B, C = (AssetSpec(name=name, uri=name) for name in "abc")
NAMED = AliasSpec(name="named")


@pytest.mark.parametrize(
    ("condition", "assets", "aliases", "expected"),
    [
        (A, "a", "", True),
        (A, "b", "", False),
        (AnyOf((A, B)), "b", "", True),
        (AllOf((A, B)), "b", "", False),
        (AllOf((A, AnyOf((B, C)))), "ac", "", True),
        (AllOf((A, AnyOf((B, C)))), "bc", "", False),
        (NAMED, "a", "", False),
        (AllOf((A, NAMED)), "a", ["named"], True),
        (AnyOf(()), "abc", "", False),
        (AllOf(()), "abc", "", False),
    ],
)
def test_a_condition_is_met_by_the_events_that_it_names(
    condition: AssetCondition, assets: Collection[str], aliases: Collection[str], expected: bool
) -> None:
    assert is_met(condition, assets, aliases) is expected


@given(conditions, st.data())
def test_another_event_never_makes_a_met_condition_unmet(condition: AssetCondition, data: st.DataObject) -> None:
    names = [leaf.name for leaf in leaves(condition)]
    fewer = data.draw(st.sets(st.sampled_from(names)) if names else st.just(set()))
    more = fewer | data.draw(st.sets(st.sampled_from(names)) if names else st.just(set()))

    assert is_met(condition, more, more) or not is_met(condition, fewer, fewer)
    assert not is_met(condition, (), ())


@given(conditions)
def test_a_condition_survives_json(condition: AssetCondition) -> None:
    assert condition_from_json(condition_to_json(condition)) == condition


def test_news_survives_json_and_news_of_no_asset_is_refused() -> None:
    news = AssetNews(asset=A, extra={"rows": 3}, alias="named")

    assert news_from_json(news_to_json(news)) == news
    with pytest.raises(ValueError, match="which is no asset"):
        news_from_json({**condition_to_json(NAMED), "event_extra": {}, "via": None})
    with pytest.raises(ValueError, match="is of no known kind"):
        condition_from_json({"none": []})


@pytest.mark.parametrize(("name", "uri"), [("", "x"), ("x", " "), ("n" * 251, "x"), ("x", "u" * 1501)])
def test_a_name_that_cannot_be_kept_is_refused(name: str, uri: str) -> None:
    with pytest.raises(InvalidDag, match="wanted"):
        check_asset(name, uri)
