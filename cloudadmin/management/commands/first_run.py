"""What a new database needs before anybody can log in: an administrator and an AWS account.

Safe to run again: it makes only what is missing.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from cloudadmin.aws import Access, Clients
from sites.errors import Refused, for_people
from sites.models import Account


class Command(BaseCommand):
    help = "Make the first administrator and the first AWS account."

    def handle(self, *args: Any, **options: Any) -> None:
        self._ensure_admin()
        self._ensure_account()

    def _ensure_admin(self) -> None:
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        password = os.environ.get("CLOUDADMIN_ADMIN_PASSWORD")
        if not password:
            raise CommandError("There is no administrator yet: set CLOUDADMIN_ADMIN_PASSWORD.")
        users.create_superuser("admin", password=password)
        self.stdout.write("Made the administrator “admin”.")

    def _ensure_account(self) -> None:
        if Account.objects.exists():
            return
        clients = Clients(Access(settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL))
        try:
            with for_people():
                identity = clients.sts.get_caller_identity()
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        account = Account.objects.create(
            name="local cloud" if settings.AWS_ENDPOINT_URL else "AWS",
            aws_account_id=identity["Account"],
            region=settings.AWS_REGION,
        )
        self.stdout.write(f"Made the account “{account}”, {account.aws_account_id}.")
