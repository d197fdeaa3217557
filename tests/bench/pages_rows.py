"""Server time and queries of pages, by Django's test client; the settings say whose they are."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402  settings first
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

import tests.conftest  # noqa: E402, F401  what it makes of a session
from deployments.models import Deployment  # noqa: E402
from sites.models import Operation, Resource, Site  # noqa: E402

REPEATS = 20
# A page that takes seconds is measured three times.
ENOUGH, FEW = 5_000, 3
IS_PLAIN = settings.ROOT_URLCONF != "cloudadmin.urls"
DEPLOYMENTS = "/deployments/deployment/"


def pages() -> dict[str, str]:
    """Those that Django's admin has too are under the same name there."""
    site = Site.objects.filter(state="live").order_by("pk")[Site.objects.count() // 2]
    deployment = Deployment.objects.filter(site=site, is_published=True).get()
    operation = Operation.objects.filter(site=site).latest("pk")
    served = Resource.objects.get(site=site, logical_id="distribution")
    state, of_site = ("state__exact", "site__id__exact") if IS_PLAIN else ("state", "site")
    value = site.pk if IS_PLAIN else site.name
    shared = {
        "sites": "/sites/site/",
        "sites: search by name": "/sites/site/?q=bakery",
        "sites: search by domain": f"/sites/site/?q=www.{site.name[:8]}",
        "sites: search by AWS id": f"/sites/site/?q={served.physical_id}",
        "sites: filter by state": f"/sites/site/?{state}=failed",
        "a site": f"/sites/site/{site.pk}/change/",
        "deployments": DEPLOYMENTS,
        "deployments: filter by state": f"{DEPLOYMENTS}?{state}=failure",
        "deployments: search by word": f"{DEPLOYMENTS}?q=newsletter",
        "deployments: search by commit": f"{DEPLOYMENTS}?q={deployment.sha[:9]}",
        "deployments: search by site": f"{DEPLOYMENTS}?q={site.name}",
        "deployments of a site": f"{DEPLOYMENTS}?{of_site}={value}",
        "a deployment": f"{DEPLOYMENTS}{deployment.pk}/change/",
        "operations": "/sites/operation/",
        "an operation": f"/sites/operation/{operation.pk}/change/",
        "invalidations": "/deployments/invalidation/",
    }
    ours = {
        "home": "/",
        "sites: needs attention": "/sites/site/?attention=yes",
        "visitors of all": "/sites/site/visitors/",
        "visitors of a site": f"/sites/site/{site.pk}/visitors/",
    }
    return shared if IS_PLAIN else {**ours, **shared}


def main() -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_SSL_REDIRECT = False
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user, settings.AUTHENTICATION_BACKENDS[0])
    found = {}
    for name, url in pages().items():
        for _ in range(2):  # templates, connections, statistics of the database
            response = client.get(url)
            if response.status_code != 200:
                raise SystemExit(f"{name}: {url} answers {response.status_code}.")
        with CaptureQueriesContext(connection) as queries:
            client.get(url)
        count = len(queries)  # the next request begins to count anew
        samples = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            client.get(url)
            samples.append(1000 * (time.perf_counter() - began))
            if len(samples) >= FEW and sum(samples) > ENOUGH:
                break
        found[name] = {"ms": samples, "queries": count}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
