"""Redis wakes workers, and that is all."""

from __future__ import annotations

from functools import partial
from unittest import mock

import pytest
from kombu.exceptions import OperationalError

from sites import tasks
from sites.waking import wake


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["a function", "nothing with a name"])
def test_without_redis_nobody_is_refused(django_capture_on_commit_callbacks, caplog, name):
    away = mock.create_autospec(tasks.run_operation.delay, side_effect=OperationalError("away"))
    with django_capture_on_commit_callbacks(execute=True):
        wake(away if name == "a function" else partial(away), 7)
    away.assert_called_once_with(7)
    assert "away" in caplog.text
