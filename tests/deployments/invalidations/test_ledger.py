"""What invalidations cost an account this month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.invalidations.ledger import FREE, PRICE, Ledger, ledger, ledgers, priced
from deployments.models import Invalidation
from sites.models import Account
from tests.factories import AccountFactory, InvalidationFactory, SiteFactory

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
counts = st.integers(0, 3 * FREE)


@pytest.fixture
def account(db: None) -> Account:
    return AccountFactory(aws_account_id="123456789012")


def sent(account: Account, paths: int, at: datetime, **fields: object) -> None:
    InvalidationFactory(
        site=SiteFactory(account=account),
        paths=[f"/{n}/*" for n in range(paths)],
        submitted_at=at,
        **{"invalidation_id": "I1", **fields},
    )


def test_a_month_begins_at_midnight_utc(account):
    month = datetime(2026, 3, 1, tzinfo=UTC)
    sent(account, 3, month)
    sent(account, 5, month - timedelta(microseconds=1))
    sent(account, 7, NOW - timedelta(days=2))
    found = ledger(account, NOW)
    assert (found.used, found.free_left) == (10, 990)
    assert not found.cost + found.next_price
    assert (found.recent, found.days_left) == (7, 20.5)
    assert found.forecast == 10 + round(20.5)


def test_the_week_before_counts_for_the_forecast_alone(account):
    sent(account, 14, datetime(2026, 2, 27, tzinfo=UTC))
    found = ledger(account, datetime(2026, 3, 2, tzinfo=UTC))
    assert (found.used, found.recent, found.forecast) == (0, 14, 60)


def test_accounts_here_that_are_one_on_aws_share(account, django_assert_num_queries):
    sent(account, 1, NOW)
    sent(AccountFactory(aws_account_id=account.aws_account_id), 2, NOW)
    other = AccountFactory()
    sent(other, 4, NOW)
    unused = AccountFactory()
    ids = [each.aws_account_id for each in (account, other, unused)]
    with django_assert_num_queries(1):
        found = ledgers(ids, NOW)
    assert [found[each].used for each in ids] == [3, 4, 0]


def test_what_aws_never_took_costs_nothing(account):
    sent(account, 1, NOW, invalidation_id="", status=Invalidation.Status.FAILURE)
    InvalidationFactory(site__account=account)
    assert ledger(account, NOW).used == 0


@pytest.mark.parametrize(
    ("used", "next_price"), [(0, 0), (FREE - 1, 0), (FREE, PRICE), (FREE + 1, PRICE)]
)
def test_the_first_thousand_are_free(used, next_price):
    assert Ledger(used=used).next_price == next_price
    assert Ledger(used=used).cost == max(0, used - FREE) * Decimal("0.005")


@given(counts, counts, counts)
def test_a_price_is_what_the_cost_grows_by(used, first, then):
    before, after = Ledger(used), Ledger(used + first)
    assert before.cost + before.price_of(first) == after.cost
    assert before.price_of(first) + after.price_of(then) == before.price_of(first + then)
    assert 0 <= before.percent <= 100


@given(counts, counts, st.floats(0, 31))
def test_a_forecast_is_no_less_than_what_is_used(used, recent, days_left):
    found = Ledger(used, recent, days_left)
    assert found.forecast >= used
    assert found.forecast_cost >= found.cost


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "nothing"), ("0.005", "$0.005"), ("0.040", "$0.04"), ("1234.5", "$1,234.50")],
)
def test_a_price_is_told_to_the_half_cent(amount, text):
    assert priced(Decimal(amount)) == text
