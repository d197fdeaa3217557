"""A workflow file for GitHub Actions that deploys a site and stores no secret."""

from __future__ import annotations

import json
import re

from django.conf import settings
from django.template.loader import render_to_string

from deployments.models import Repository
from sites.errors import Refused
from sites.models import Site

# v5.1.0 of https://github.com/actions/checkout. A tag can be moved, a commit cannot.
CHECKOUT = "actions/checkout@fbc6f3992d24b796d5a048ff273f7fcc4a7b6c09 # v5.1.0"
# What it is written into: neither the end of a line nor an expression of GitHub's.
PLAIN = re.compile(r"[\w./@+ -]+")


def workflow(site: Site, address: str, *, branch: str = "", folder: str = "") -> str:
    """The file, for a cloudadmin that is reached at ``address``. Raises Refused.

    Branch and folder are those of the site's repository where they are not given.
    """
    repository = Repository.objects.filter(site=site).first()
    values = {
        "site": site.name,
        "branch": branch or (repository.production_branch if repository else "main"),
        "folder": folder or (repository.folder if repository else "") or "public",
        "group": f"cloudadmin-{site.name}",
    }
    for name, value in values.items():
        if not PLAIN.fullmatch(value):
            raise Refused(f"The {name} “{value}” has signs that a workflow file cannot hold here.")
    values["address"] = address.rstrip("/")
    values["audience"] = settings.CLOUDADMIN_OIDC_AUDIENCE or values["address"]
    quoted = {f"{name}_json": json.dumps(value) for name, value in values.items()}
    return render_to_string("deployments/workflow.yml", {**values, **quoted, "checkout": CHECKOUT})
