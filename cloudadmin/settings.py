"""All settings, in one file. What is not given in the environment comes from the running embedded
default (``run.json`` of the data directory, written by ``manage.py up``)."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.management.utils import get_random_secret_key
from django.urls import reverse_lazy
from environs import Env

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("CLOUDADMIN_DATA_DIR", ".local")).absolute()


def read_run_file(path: Path) -> dict[str, Any]:
    """What the embedded default says about itself, or nothing when it does not run."""
    try:
        run: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return run


RUN = read_run_file(DATA_DIR / "run.json")

# --- Security ---------------------------------------------------------------------------------

# Everything on one machine, reached from it alone, as by "manage.py up"; all else is production,
# which does not start unless cloudadmin/checks.py finds nothing to say.
IS_LOCAL = env.bool("CLOUDADMIN_LOCAL", bool(RUN))

# Without one, a key that nobody knows: commands work, and no session can be forged.
SECRET_KEY = env.str("SECRET_KEY", "") or RUN.get("secret_key") or ""
IS_SECRET_KEY_GIVEN = bool(SECRET_KEY)
SECRET_KEY = SECRET_KEY or get_random_secret_key()
# Secrets in the database are encrypted with both; one of several, the newest first, may be changed.
SALT_KEY = env.list("SALT_KEY", ["cloudadmin"])
DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

# Where people open the dashboard, for links in what they are told; without it, there are none.
CLOUDADMIN_URL: str = (
    env.str("CLOUDADMIN_URL", "")
    or RUN.get("dashboard")
    or next((each for each in CSRF_TRUSTED_ORIGINS if "*" not in each), "")
).rstrip("/")

# How many proxies in front add to X-Forwarded-For and set X-Forwarded-Proto; by default neither
# is believed.
CLOUDADMIN_PROXIES = env.int("CLOUDADMIN_PROXIES", 0)
ALLAUTH_TRUSTED_PROXY_COUNT = CLOUDADMIN_PROXIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CLOUDADMIN_PROXIES else None
IS_HTTPS = env.bool("CLOUDADMIN_HTTPS", not IS_LOCAL)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
# What else is served beneath the dashboard's name is not ours to decide about.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Applications -----------------------------------------------------------------------------

# Never django.contrib.sites: its label clashes with our app "sites".
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # cloudadmin/apps.py says which admin site there is
    "cloudadmin.apps.DashboardConfig",  # urls.py finds the pages; commands need none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",  # indexes by another operator class
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "cloudadmin",
    "cloudadmin.login",
    "sites",
    "deployments",
]

MIDDLEWARE = [
    "cloudadmin.dashboard.inert.inert_text",
    "deployments.api.problems.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sites.audit.middleware.AuditMiddleware",
    "cloudadmin.login.sessions.SessionAgeMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "cloudadmin.login.second_factor.SecondFactorMiddleware",
    "cloudadmin.login.roleless.RolelessMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "cloudadmin.urls"
ASGI_APPLICATION = "cloudadmin.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "cloudadmin" / "templates"],  # before unfold's own
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["sites.admin.tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cloudadmin.login.frame.frame",
            ],
        },
    },
]

FORM_RENDERER = "cloudadmin.fields.Renderer"

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", "") or None
# Without a collectstatic (the embedded default) the files are served from where they are.
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
# The page of the API's documentation; as an application, ninja would slow every command down.
_NINJA = find_spec("ninja")
STATICFILES_DIRS = [Path(_NINJA.origin).parent / "static"] if _NINJA and _NINJA.origin else []

# Nothing in a page's HTML is run or styles it, and nothing comes from elsewhere (docs/adr/0010).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# --- The way in -------------------------------------------------------------------------------

LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
AUTHENTICATION_BACKENDS = ["cloudadmin.login.backend.Backend"]
ACCOUNT_ADAPTER = "cloudadmin.login.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = reverse_lazy("account_login")
ACCOUNT_EMAIL_SUBJECT_PREFIX = "cloudadmin: "
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Guesses are counted by cloudadmin/login/guesses.py. What is counted by address would lock
# everybody out behind a proxy.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "reauthenticate": None,
    "change_password": None,
    "reset_password": "5/h/key",
    "reset_password_from_key": None,
}
ACCOUNT_FORMS = {"change_password": "cloudadmin.login.forms.ChangePasswordForm"}
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before another login of the provider's is connected
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
MFA_ADAPTER = "cloudadmin.login.adapter.SecondFactorAdapter"
MFA_FORMS = {
    "activate_totp": "cloudadmin.login.forms.ActivateForm",
    "authenticate": "cloudadmin.login.forms.AuthenticateForm",
    "reauthenticate": "cloudadmin.login.forms.ReauthenticateForm",
}
MFA_RATE_LIMITS = {"webauthn_login": None}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Nobody signs up with somebody else's address: people are invited, and where the link is handed
# over by hand nobody's address is proven.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "cloudadmin"
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
SESSION_COOKIE_AGE = 14 * 24 * 3600  # at most; cloudadmin/login/sessions.py ends idle ones sooner
# Whether a login by OpenID Connect needs no second factor of ours, for the provider asks for one.
CLOUDADMIN_LOGIN_OIDC_IS_ENOUGH = env.bool("CLOUDADMIN_LOGIN_OIDC_IS_ENOUGH", False)

# OpenID Connect, for people who were invited: by the address that the provider has verified.
CLOUDADMIN_LOGIN_OIDC_URL = env.str("CLOUDADMIN_LOGIN_OIDC_URL", "")
if CLOUDADMIN_LOGIN_OIDC_URL:
    # First: cloudadmin/login/admin.py takes away what they add to the dashboard.
    INSTALLED_APPS[:0] = ["allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"]
    _PROVIDER = {
        "provider_id": "oidc",
        "name": env.str("CLOUDADMIN_LOGIN_OIDC_NAME", "your organisation"),
        "client_id": env.str("CLOUDADMIN_LOGIN_OIDC_CLIENT_ID"),
        "secret": env.str("CLOUDADMIN_LOGIN_OIDC_SECRET"),
        "settings": {"server_url": CLOUDADMIN_LOGIN_OIDC_URL},
    }
    SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [_PROVIDER], "OAUTH_PKCE_ENABLED": True}}
    SOCIALACCOUNT_ADAPTER = "cloudadmin.login.providers.Adapter"
    SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
    _ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(CLOUDADMIN_LOGIN_OIDC_URL))
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(_ORIGIN)

# --- Database ---------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", "") or RUN.get("database_url", "")
DATABASES: dict[str, Any] = {}
if DATABASE_URL:
    DATABASES["default"] = dj_database_url.parse(
        DATABASE_URL, conn_max_age=60, conn_health_checks=True
    )
    DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 5
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What limits logins is counted for all processes together, where nothing new can fail; what only
# saves a call is kept by each for itself.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "login_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# --- Background work --------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", "") or RUN.get("redis_url", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A Redis that is frozen is told of, not waited for.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 5, "socket_timeout": 15}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

# --- AWS --------------------------------------------------------------------------------------

AWS_ENDPOINT_URL: str | None = env.str("AWS_ENDPOINT_URL", "") or RUN.get("aws_endpoint")
# Where the public DNS is asked (RFC 8484) in local mode; on AWS the system's resolver is.
CLOUDADMIN_DNS_URL: str = env.str("CLOUDADMIN_DNS_URL", "") or RUN.get("dns_url") or ""
AWS_REGION = env.str("AWS_REGION", "") or env.str("AWS_DEFAULT_REGION", "us-east-1")
# How much of an account's API rates is used, from 0.1 to 1 (sites/pace.py); 0: no limit.
CLOUDADMIN_AWS_PACE = env.float("CLOUDADMIN_AWS_PACE", 0.0 if AWS_ENDPOINT_URL else 0.8)
# Where the edge answers in local mode; on AWS every site has its own host name.
CLOUDADMIN_EDGE_URL: str | None = env.str("CLOUDADMIN_EDGE_URL", "") or RUN.get("edge")

# How long the edge gets to receive the records of a release before the flip names it: "a few
# seconds". Where they come later, the older file is shown until then.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/kvs-with-functions.html
CLOUDADMIN_SETTLE_SECONDS = env.float(
    "CLOUDADMIN_SETTLE_SECONDS", 0.5 if CLOUDADMIN_EDGE_URL else 5.0
)

# Every site is compared with what AWS has once in this time (sites/drift_checks.py): deeply, a few
# sites a tick, and cheaply 24 times.
CLOUDADMIN_DRIFT_SECONDS = env.float(
    "CLOUDADMIN_DRIFT_SECONDS", 1440.0 if CLOUDADMIN_EDGE_URL else 86400.0
)

# The browser that takes a picture of a site after it was published; empty to look for one in PATH,
# "off" for none.
CLOUDADMIN_CHROMIUM: str = env.str("CLOUDADMIN_CHROMIUM", "")

# --- Repositories and notifications -----------------------------------------------------------

# How a repository may be fetched; those of this machine only where everything is on it.
CLOUDADMIN_GIT_SCHEMES: list[str] = env.list(
    "CLOUDADMIN_GIT_SCHEMES", ["https", "ssh", *(["file"] if CLOUDADMIN_EDGE_URL else [])]
)
CLOUDADMIN_GITHUB_API_URL: str = env.str("CLOUDADMIN_GITHUB_API_URL", "https://api.github.com")
# Private networks that webhooks may reach, also without encryption; all others are refused.
CLOUDADMIN_WEBHOOK_NETWORKS: list[str] = env.list(
    "CLOUDADMIN_WEBHOOK_NETWORKS", ["127.0.0.0/8", "::1/128"] if CLOUDADMIN_EDGE_URL else []
)

EMAIL_HOST: str = env.str("EMAIL_HOST", "")
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_HOST_USER: str = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD: str = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", "cloudadmin@localhost")
# On one machine without a mail server, letters are files in the data directory.
EMAIL_FILE_PATH = DATA_DIR / "mail"
IS_MAIL_READY = bool(EMAIL_HOST or CLOUDADMIN_EDGE_URL)
EMAIL_BACKEND = "django.core.mail.backends.{}.EmailBackend".format(
    "smtp" if EMAIL_HOST else "filebased"
)

CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "requeue operations": {"task": "sites.requeue_operations", "schedule": 5.0},
    "requeue deployments": {"task": "deployments.requeue_deployments", "schedule": 10.0},
    "advance launches": {"task": "deployments.advance_launches", "schedule": 10.0},
    "write heads": {"task": "deployments.write_heads", "schedule": 10.0},
    "poll invalidations": {"task": "deployments.poll_invalidations", "schedule": 10.0},
    "expire previews": {"task": "deployments.expire_previews", "schedule": 300.0},
    "take pictures": {"task": "deployments.take_pictures", "schedule": 10.0},
    "tidy releases": {"task": "deployments.tidy_releases", "schedule": 3600.0},
    "sync visits": {
        "task": "sites.sync_visits",
        "schedule": env.float("CLOUDADMIN_SYNC_SECONDS", 15.0 if CLOUDADMIN_EDGE_URL else 300.0),
    },
    "tidy visits": {"task": "sites.tidy_visits", "schedule": 3600.0},
    "check drift": {"task": "sites.check_drift", "schedule": CLOUDADMIN_DRIFT_SECONDS / 48},
    "look for drift": {"task": "sites.look_for_drift", "schedule": CLOUDADMIN_DRIFT_SECONDS / 24},
    "requeue messages": {"task": "deployments.requeue_messages", "schedule": 10.0},
    "tell missed": {"task": "deployments.tell_missed", "schedule": 60.0},
    "tell notices": {"task": "deployments.tell_notices", "schedule": 300.0},
    "requeue bulk runs": {"task": "deployments.requeue_bulk", "schedule": 15.0},
    "tidy logs": {"task": "deployments.tidy_logs", "schedule": 3600.0},
}
# What beat asks for while no worker runs, overnight say, is not in the way of what people ask for
# then: the next round does the same.
for _entry in CELERY_BEAT_SCHEDULE.values():
    _entry["options"] = {"expires": max(60.0, _entry["schedule"])}

# --- The API ----------------------------------------------------------------------------------

# Whose identity tokens are exchanged for ours (deployments/oidc.py), and where its keys are.
CLOUDADMIN_OIDC_ISSUER = env.str(
    "CLOUDADMIN_OIDC_ISSUER", "https://token.actions.githubusercontent.com"
)
CLOUDADMIN_OIDC_JWKS_URL = (
    env.str("CLOUDADMIN_OIDC_JWKS_URL", "") or f"{CLOUDADMIN_OIDC_ISSUER}/.well-known/jwks"
)
# For whom they have to be made out; empty for the address that the API is reached at, so that a
# token for another installation is worth nothing here.
CLOUDADMIN_OIDC_AUDIENCE = env.str("CLOUDADMIN_OIDC_AUDIENCE", "")
# Requests a minute of one token.
CLOUDADMIN_API_RATE = env.int("CLOUDADMIN_API_RATE", 600)

# --- Logs -------------------------------------------------------------------------------------

# What fails inside a request is on stderr, whatever DEBUG says; Django itself would only mail it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}

# --- Language and time ------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False  # one language: looking translations up takes a third of a list's time
NUMBER_GROUPING = 3
