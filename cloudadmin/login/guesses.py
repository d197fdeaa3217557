"""Guessing is slow, and does not lock out whose account it is.

Wrong answers are counted for an account: those of unknown devices together, those of each known
device apart. No address is counted, for behind a proxy everybody has the same one. Who guesses can
so lock the account for unknown devices alone; the owner's own, and a passkey, still let them in.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from allauth.core.internal.cryptokit import normalize_user_code
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cloudadmin.login import devices
from cloudadmin.login.models import Guesses

LIMIT = 10
WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Guess:
    """One answer to “password” or “code”, which counts as wrong until it is taken back."""

    key: str

    @classmethod
    def at(cls, request: HttpRequest, question: str, who: User | str) -> Guess:
        """``who`` is the name itself where nobody has it: both take as long, and lock as soon."""
        if isinstance(who, str):
            account, device = f"name:{unicodedata.normalize('NFKC', who).casefold()}", None
        else:
            account, device = f"user:{who.pk}", devices.known(request, who)
        return cls(_keyed(f"{question}|{account}|{device or 'unknown'}"))

    def is_allowed(self) -> bool:
        """Counts it, before the answer is looked at: many at once are counted one by one."""
        now = timezone.now()
        Guesses.objects.filter(since__lt=now - WINDOW).delete()
        with transaction.atomic():
            row, _ = Guesses.objects.select_for_update().get_or_create(
                key=self.key, defaults={"since": now}
            )
            if row.count >= LIMIT:
                return False
            row.count += 1
            row.save(update_fields=["count"])
        return True

    def locks(self) -> bool:
        """Whether this answer, which was wrong, locks: of each lock, one is told so."""
        row = Guesses.objects.filter(key=self.key, count__gte=LIMIT).first()
        if row is None:
            return False
        told = _keyed(f"told|{self.key}")
        _, is_new = Guesses.objects.get_or_create(key=told, defaults={"since": row.since})
        return is_new

    def take_back(self) -> None:
        """It was right. The others stay counted: among right ones one could guess at others'."""
        Guesses.objects.filter(key=self.key, count__gt=0).update(count=F("count") - 1)


def is_first_use(user: User, code: str) -> bool:
    """Of a code, by whatever process: it counts as used until long after its time.

    allauth forgets it after half a minute, though it is good for three of them, as clocks differ.
    """
    key = _keyed(f"used|user:{user.pk}|{normalize_user_code(code)}")
    _, is_new = Guesses.objects.get_or_create(key=key, defaults={"since": timezone.now()})
    return is_new


def _keyed(words: str) -> str:
    return salted_hmac("cloudadmin.login.guess", words, algorithm="sha256").hexdigest()
