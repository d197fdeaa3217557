"""What keeps production from starting: keys that others know, and doors that are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register

SHORTEST = 50
# What stands in examples, here and elsewhere.
SAMPLES = ("…", "...", "changeme", "change-me", "django-insecure", "secret", "example", "sample")
NEW_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(50))" makes one.'


def is_sample(key: str, shortest: int) -> bool:
    return len(key) < shortest or len(set(key)) < 5 or key.lower().startswith(SAMPLES)


def found() -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do about it."""
    if not settings.IS_SECRET_KEY_GIVEN:
        yield "SECRET_KEY is not set, so that each process has another.", f"Set it: {NEW_KEY}"
    elif is_sample(settings.SECRET_KEY, SHORTEST):
        yield f"SECRET_KEY is a sample, or shorter than {SHORTEST} characters.", NEW_KEY
    salts = settings.SALT_KEY
    if not salts or salts[0] == "cloudadmin" or is_sample(salts[0], 16):
        yield (
            "SALT_KEY is not set, a sample, or shorter than 16 characters.",
            f"Set it: {NEW_KEY} Where secrets were stored before, append what it was to it, as in "
            "SALT_KEY=new,cloudadmin.",
        )
    if settings.DEBUG:
        yield "DEBUG is on, which shows strangers the settings.", "Leave DEBUG out."
    hosts = settings.ALLOWED_HOSTS
    if not hosts or any(host in ("*", ".", "") for host in hosts):
        yield (
            "ALLOWED_HOSTS is empty, or lets every host name in.",
            "Name the dashboard's own, as in ALLOWED_HOSTS=admin.example.com.",
        )
    cookies = settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
    if not (cookies and settings.SECURE_SSL_REDIRECT and settings.SECURE_HSTS_SECONDS):
        yield (
            "The dashboard may be reached without HTTPS.",
            "Leave CLOUDADMIN_HTTPS out. Behind a proxy that ends HTTPS, set CLOUDADMIN_PROXIES=1.",
        )


@register(Tags.security, deploy=True)
def production(app_configs: Any, **kwargs: Any) -> list[Error]:
    return [
        Error(problem, hint=hint, id=f"cloudadmin.E{number:03}")
        for number, (problem, hint) in enumerate(found(), 1)
    ]


def refuse_unsafe_start() -> None:
    """For what serves or works. Raises SystemExit, with a sentence for each problem."""
    problems = [] if settings.IS_LOCAL else list(found())
    if problems:
        lines = [f"  {problem} {hint}" for problem, hint in problems]
        raise SystemExit("\n".join(["cloudadmin does not start like this:", *lines]))
