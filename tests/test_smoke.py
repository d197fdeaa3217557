import pytest
from django.core.management import call_command

from cloudadmin.celery import app


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_what_beat_asks_for_while_no_worker_runs_does_not_pile_up():
    for each in app.conf.beat_schedule.values():
        assert 60 <= each["options"]["expires"] <= max(60, each["schedule"])


def test_clients_reach_the_emulator(clients):
    assert clients.sts.get_caller_identity()["Account"] == "000000000000"
