from django.apps import AppConfig


class LoginConfig(AppConfig):
    """Ours around allauth: what counts as proven, who guesses, when a session ends."""

    name = "cloudadmin.login"
    label = "login"
    verbose_name = "login"
