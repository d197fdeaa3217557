"""``manage.py let_in NAME``: for who has lost their second factor, or is locked out by guesses."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.userkit import get_user_by_username
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cloudadmin.login.models import Guesses


class Command(BaseCommand):
    help = "Remove a user's second factors and sessions, and forget all wrong guesses."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of the user")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_by_username(options["name"])
        if user is None:
            raise CommandError(f"There is no user “{options['name']}”.")
        for session in UserSession.objects.filter(user=user):
            session.end()
        Authenticator.objects.filter(user=user).delete()
        Guesses.objects.all().delete()  # whose each is cannot be read off
        self.stdout.write(
            f"{user.get_username()} logs in with the password alone, and sets a new second factor "
            "up then. All their sessions are ended."
        )
