import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_clients_reach_the_emulator(clients):
    assert clients.sts.get_caller_identity()["Account"] == "000000000000"
