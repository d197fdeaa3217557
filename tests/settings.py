"""The settings of the tests: a real PostgreSQL first, then the project's own settings."""

import tests.services  # noqa: F401  starts PostgreSQL and sets DATABASE_URL, CLOUDADMIN_LOCAL
from cloudadmin.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, and secret from nobody
