"""The letter that takes an invitation to its address."""

from __future__ import annotations

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from sites.models import Invitation
from sites.plain import one_line


def send(invitation: Invitation, url: str) -> bool:
    """Whether a mail server has taken it; without one, nothing is sent."""
    if not settings.EMAIL_HOST:
        return False
    about, by = one_line(str(invitation.about)), one_line(str(invitation.invited_by))
    text = (
        f"{by} invites you as {invitation.get_role_display().lower()} of {about}.\n\n"
        f"Open this address within a week to join; it works once:\n{url}\n\n"
        "If you do not know what this is about, do nothing.\n"
    )
    try:
        send_mail(f"Join {about}", text, None, [invitation.email])
    except (SMTPException, OSError):
        return False
    return True
