from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in

from cloudadmin import checks  # noqa: F401  registers what is checked before production
from cloudadmin.login import sessions


class LoginConfig(AppConfig):
    """Ours around allauth: what counts as proven, who guesses, when a session ends."""

    name = "cloudadmin.login"
    label = "login"
    verbose_name = "login"

    def ready(self) -> None:
        user_logged_in.connect(sessions.begin)
