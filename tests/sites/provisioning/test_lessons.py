"""Each thing that is made is explained, in calls that AWS and its command line know."""

from __future__ import annotations

import pytest
from botocore import xform_name
from botocore.session import Session

from sites.provisioning.lessons import CHANGED, LESSONS, lesson_of
from sites.provisioning.resources import TYPES

CALLS = [call for lesson in LESSONS.values() for call in lesson.calls] + [*CHANGED.values()]


def test_every_type_has_its_lesson():
    assert {*LESSONS} == {*TYPES}


@pytest.mark.parametrize("service", sorted({call.service for call in CALLS}))
def test_the_calls_are_those_of_aws(service):
    model = Session().get_service_model(service)
    for call in CALLS:
        if call.service == service:
            assert call.action in model.operation_names
            verb = xform_name(call.action, "-")
            assert call.as_command("x").split()[:3] == [
                "aws",
                "s3api" if service == "s3" else service,
                verb,
            ]


def test_a_command_is_about_the_thing():
    (call,) = lesson_of("key_value_store").calls
    assert call.as_command("blog") == "aws cloudfront create-key-value-store --name blog"
    assert lesson_of("distribution", "update").calls[0].action == "UpdateDistribution"
