from __future__ import annotations

from datetime import UTC, datetime, timedelta

from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from sites.provisioning import Done, Failed, ResourceFailed, Waiting
from sites.provisioning.outcomes import FIRST_CHECK, LAST_CHECK, Wait, next_check

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3)))
def test_next_check_comes_soon_at_first_and_never_too_late(waited):
    pause = next_check(SINCE, SINCE + waited) - (SINCE + waited)
    assert FIRST_CHECK <= pause <= LAST_CHECK


def test_wait_as_json():
    wait = Wait("certificate", "the DNS", SINCE, SINCE + FIRST_CHECK)
    assert wait.as_json() == {
        "what": "certificate",
        "why": "the DNS",
        "since": "2026-01-01T00:00:00+00:00",
        "next_check": "2026-01-01T00:00:02+00:00",
        "last_seen": "",
        "todo": "",
    }


def test_joined_outcomes_tell_the_worst():
    error = ResourceFailed("a", "create", EndpointConnectionError(endpoint_url="https://x"))
    failed, waiting = Failed(error), Waiting(())
    assert Done().joined(Done()) == Done()
    assert Done().joined(waiting) == waiting
    assert waiting.joined(Done()) == waiting
    assert waiting.joined(failed) == failed
    assert failed.joined(Done()) == failed
