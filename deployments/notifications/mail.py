"""Letters, through Django's mail."""

from __future__ import annotations

from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, send_mail

from deployments.models import Listener
from deployments.notifications.answers import Answer


def deliver(to: str, subject: str, text: str, message_id: str) -> Answer:
    if not settings.IS_MAIL_READY:
        return Answer(False, "No mail server is set: give EMAIL_HOST.", is_final=True)
    # The same id at every try: a mailbox that has it already shows one letter.
    headers = {"Message-ID": f"<{message_id}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2]}>"}
    try:
        EmailMessage(subject, text, to=[to], headers=headers).send()
    except SMTPRecipientsRefused as error:
        return Answer(False, f"The mail server refuses {to}: {error}"[:300], is_final=True)
    except (SMTPException, OSError) as error:
        return Answer(False, f"The mail server does not take it: {error}"[:300])
    if not settings.EMAIL_HOST:
        return Answer(True, f"Written to {settings.EMAIL_FILE_PATH}, for no mail server is set.")
    return Answer(True, f"Handed to the mail server for {to}.")


def tell_switched_off(listener: Listener, why: str) -> None:
    """To the site's other mailboxes and to the administrators."""
    mailboxes = Listener.objects.filter(
        site=listener.site,
        team=listener.team,
        account=listener.account,
        kind=Listener.Kind.EMAIL,
        is_active=True,
    ).exclude(pk=listener.pk)
    admins = get_user_model().objects.filter(is_superuser=True, is_active=True).exclude(email="")
    to = {*mailboxes.values_list("address", flat=True), *admins.values_list("email", flat=True)}
    for address in sorted(to):
        send_mail(
            f"{listener.about}: {listener.address} is not told of anything any more",
            f"{why} It was switched off; switch it on again on its page in the dashboard.\n",
            None,
            [address],
            fail_silently=True,
        )
