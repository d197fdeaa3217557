"""The same database in a plain Django admin: no unfold, no middleware but Django's own."""

from pathlib import Path

from django.contrib import admin

from cloudadmin.settings import *  # noqa: F403
from cloudadmin.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [name for name in OURS if not name.startswith("unfold")]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # which it insists on
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SECURE_SSL_REDIRECT = False
ROOT_URLCONF = "tests.bench.plain_urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(str(admin.__file__)).parent / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
