"""What ``seeding`` fills the tables with, as SQL: an agency's sites and what happened to them."""

# ruff: noqa: S608  every word of the SQL is our own

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Model

from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, Invalidation
from sites.models import (
    Account,
    Domain,
    Kind,
    Operation,
    OperationEvent,
    Resource,
    Site,
    Team,
    VisitDay,
)
from sites.provisioning.drift import Drift

ACCOUNTS = "9900000"
PER_ACCOUNT, PER_TEAM = 500, 20
DAYS_OF_DEPLOYMENTS, DAYS_OF_VISITS = 365, 30
COLOURS = [
    "amber",
    "azure",
    "coral",
    "ivory",
    "jade",
    "lemon",
    "mauve",
    "ochre",
    "pearl",
    "ruby",
    "sand",
    "teal",
    "umber",
    "violet",
]
TRADES = [
    "bakery",
    "books",
    "cafe",
    "clinic",
    "dance",
    "florist",
    "garage",
    "hotel",
    "jeweller",
    "museum",
    "optics",
    "pottery",
    "shop",
    "studio",
    "tailor",
    "winery",
    "yoga",
]
TYPES = [
    "bucket",
    "bucket_policy",
    "origin_access_control",
    "key_value_store",
    "function",
    "cache_policy",
    "origin_request_policy",
    "response_headers_policy",
    "distribution",
    "certificate",
    "validation_record",
    "alias_a",
    "alias_aaaa",
    "log_group",
    "role",
    "lambda_function",
    "function_url",
    "function_permission",
    "schedule",
    "artifact",
]
CHANGES = (
    *(
        "Prices of the season",
        "Opening hours",
        "Fix the menu on phones",
        "New pictures of the shop",
    ),
    *("Newsletter form", "Typo on the contact page", "Faster fonts", "Imprint and privacy"),
)
TRIGGERS = ("push", "push", "api", "dashboard", "command")
REFUSED = "The edge did not answer with the new files; visitors get what they got before."
NO_ROOM = "CloudFront has no more distributions: the quota of the account is used up."
CHANGED = Drift("distribution", "distribution", "Price class", "PriceClass", "PriceClass_100", None)
FILES = Manifest(
    {
        f"page-{number}/index.html": Entry(f"{number:064x}", 4096, "text/html", "max-age=0")
        for number in range(20)
    }
)
TIMINGS = {"upload": 1.4, "index": 0.4, "settle": 5.0, "flip": 0.3, "verify": 0.8}

Table = tuple[type[Model], dict[str, str], str]
"""A model, an expression for each column that is not as its default, and where rows come from."""


@dataclass(frozen=True)
class Seed:
    """The first primary keys, how many sites, and how many deployments each has."""

    account: int
    team: int
    site: int
    deployment: int
    sites: int
    rounds: int

    @property
    def of_sites(self) -> str:
        """The sites with their number ``n``."""
        return f"(SELECT *, id - {self.site} AS n FROM sites_site WHERE id >= {self.site}) s"


def tables(seed: Seed) -> Iterator[Table]:
    """In the order in which they refer to each other."""
    yield from _owners(seed)
    yield from _sites(seed)
    yield from _operations(seed)
    yield from _deployments(seed)
    yield from _visits(seed)


def _owners(seed: Seed) -> Iterator[Table]:
    account = {
        "id": f"{seed.account} + n",
        "uid": "gen_random_uuid()",
        "external_id": "gen_random_uuid()",
        "name": "'Agency ' || lpad(n::text, 3, '0')",
        "aws_account_id": f"'{ACCOUNTS}' || lpad(n::text, 5, '0')",
        "created_at": "now() - interval '2 years'",
    }
    yield Account, account, f"generate_series(0, {(seed.sites - 1) // PER_ACCOUNT}) n"
    first = seed.team
    team = {"id": f"{first} + n", "name": f"'Customers ' || {first} + n", "created_at": "now()"}
    yield Team, team, f"generate_series(0, {(seed.sites - 1) // PER_TEAM}) n"


def _sites(seed: Seed) -> Iterator[Table]:
    site = {
        "id": f"{seed.site} + n",
        "uid": f"md5('site' || n + {seed.site})::uuid",
        "account_id": f"{seed.account} + n / {PER_ACCOUNT}",
        "team_id": f"{seed.team} + n / {PER_TEAM}",
        "name": f"{_one_of(COLOURS, 'n')} || '-' || {_one_of(TRADES, 'n / 14')} || '-' || n",
        "state": _case(
            "n % 83 = 0", "'failed'", "CASE WHEN n % 97 = 0 THEN 'draft' ELSE 'live' END"
        ),
        "created_at": "now() - interval '2 years' + interval '90 minutes' * n",
    }
    yield Site, site, f"generate_series(0, {seed.sites - 1}) n"
    domain = {
        "site_id": "s.id",
        "name": _case("w = 1", "'www.'", "''") + " || s.name || '.example'",
        "redirects": "w = 1",
        "created_at": "s.created_at",
    }
    ways = _case("n % 3 = 0", "1", "0")
    yield Domain, domain, f"{seed.of_sites}, generate_series(0, {ways}) w"
    key = "upper(left(md5(n || t), 13))"
    arn = f"'arn:aws:acm:us-east-1:{ACCOUNTS}00000:certificate/' || md5(n || t)::uuid"
    name = f"'cloudadmin-' || left(md5('site' || n + {seed.site}), 12) || '-' || t"
    host = f"jsonb_build_object('domain_name', 'd' || lower({key}) || '.cloudfront.net')"
    is_served, is_certificate = "t = 'distribution'", "t = 'certificate'"
    certified = "jsonb_build_object('domains', jsonb_build_array(s.name || '.example'))"
    left = _case("n % 401 = 7", "12.5", "61 + n % 130")
    resource = {
        "account_id": "s.account_id",
        "site_id": "s.id",
        "logical_id": "t",
        "type": "t",
        "physical_id": _case(is_certificate, arn, _case(is_served, f"'E' || {key}", name)),
        "inputs": _case(is_certificate, certified, "'{}'"),
        "expires_at": _case(is_certificate, f"now() + interval '1 day' * ({left})", "NULL"),
        "attributes": _case(is_served, host, "'{}'"),
        "drift": _case(f"{is_served} AND n % 211 = 0", _json([CHANGED.as_json()]), "'[]'"),
        "aws_status": _case(is_served, "'Deployed'", "''"),
        "is_ready": "true",
        "created_at": "s.created_at",
        "read_at": "now()",
        # Nothing of it is on AWS: whoever looks for drift shall leave it alone.
        "drift_checked_at": "now() + interval '10 years'",
    }
    from_sites = f"{seed.of_sites}, unnest({_array(TYPES)}) t WHERE s.state <> 'draft'"
    yield Resource, resource, from_sites


def _operations(seed: Seed) -> Iterator[Table]:
    is_bad = "o = 2 AND s.state = 'failed'"
    began = "s.created_at + interval '40 days' * o"
    operation = {
        "site_id": "s.id",
        "site_name": "s.name",
        "kind": "'provision'",
        "status": _case(is_bad, "'failure'", "'success'"),
        "error_message": _case(is_bad, f"'{NO_ROOM}'", "''"),
        "created_at": began,
        "finished_at": f"{began} + interval '4 minutes'",
    }
    from_sites = f"generate_series(0, 2) o, {seed.of_sites} WHERE s.state <> 'draft'"
    yield Operation, operation, from_sites
    event = {
        "operation_id": "o.id",
        "logical_id": "t",
        "message": "t || ': created'",
        "created_at": "o.created_at + interval '10 seconds'",
    }
    steps = _array(("bucket", "function", "distribution"))
    of_sites = f"WHERE o.site_id >= {seed.site}"
    yield OperationEvent, event, f"sites_operation o, unnest({steps}) t {of_sites}"
    asked = "now() - interval '1 minute' * n"
    invalidation = {
        "site_id": "s.id",
        "paths": _json(["/data/*"]),
        "status": "'Completed'",
        "invalidation_id": "'I' || upper(left(md5('invalidation' || n), 13))",
        "created_at": asked,
        "submitted_at": f"{asked} + interval '2 seconds'",
        "completed_at": f"{asked} + interval '30 seconds'",
    }
    yield Invalidation, invalidation, f"{seed.of_sites} WHERE s.state = 'live'"


def _deployments(seed: Seed) -> Iterator[Table]:
    """Deployment k is the site's number k / sites + 1; neighbours in time are not by name."""
    total = seed.sites * seed.rounds
    site = f"(k % {seed.sites} * 7919 % {seed.sites})"
    number = f"(k / {seed.sites} + 1)"
    failed = f"(k * 31 % 23 = 0 AND k >= {seed.sites})"
    later_failed = f"((k + {seed.sites}) * 31 % 23 = 0)"
    # What is published is the newest of a site, or the one before where the newest failed.
    published = (
        f"(NOT {failed} AND ({number} = {seed.rounds} "
        f"OR {number} = {seed.rounds} - 1 AND {later_failed}))"
    )
    preview = f"(k % 7 = 0 AND NOT {failed} AND {number} < {seed.rounds} - 1)"
    when = f"(now() - interval '{DAYS_OF_DEPLOYMENTS} days' * (1 - (k + 1)::float / {total}))"
    files = f"'\\x{FILES.to_bytes().hex()}'::bytea"
    served = f"CASE WHEN {failed} OR {preview} THEN NULL ELSE {when} + interval '8 seconds' END"
    columns = {
        "id": f"{seed.deployment} + k",
        "site_id": f"{seed.site} + {site}",
        "number": number,
        "release_number": number,
        "state": _case(
            failed, "'failure'", _case(f"{published} OR {preview}", "'success'", "'inactive'")
        ),
        # A site whose newest failed; no later one can have made up for it.
        "needs_attention": f"{failed} AND {number} = {seed.rounds}",
        "phase": "'done'",
        "environment": _case(preview, "'preview'", "'production'"),
        "trigger": _one_of(TRIGGERS, "k"),
        "is_published": published,
        "source": f"'https://git.example/agency/site-' || {site} || '.git'",
        "ref": _case(preview, "'draft-' || k % 40", "'main'"),
        "sha": "md5(k::text) || left(md5('sha' || k), 8)",
        "author": "'author-' || k % 300",
        "description": _one_of(CHANGES, "k / 3") + " || ' ' || k % 5000",
        "manifest": _case(f"{number} > {seed.rounds} - 2", files, "''::bytea"),
        "files": "20 + k % 300",
        "uploaded": "1 + k % 12",
        "bytes": "2000 + k * 7919 % 4000000",
        "timings": _json(TIMINGS),
        "error_message": _case(failed, f"'{REFUSED}'", "''"),
        "created_at": when,
        "finished_at": f"{when} + interval '8 seconds'",
        "published_at": served,
    }
    yield Deployment, columns, f"generate_series(0, {total - 1}::bigint) k"


def _visits(seed: Seed) -> Iterator[Table]:
    kinds = ((Kind.ALL, "", 10), (Kind.COUNTRY, "DE", 6), (Kind.COUNTRY, "US", 4))
    values = ", ".join(f"({kind.value}, '{value}', {share})" for kind, value, share in kinds)
    day = {
        "site_id": "s.id",
        "day": "current_date - d",
        "kind": "v.kind",
        "value": "v.value",
        "pageviews": "(10 + n * 7 % 400) * v.share / 10",
        "visits": "(5 + n * 7 % 200) * v.share / 10",
        "visitors": "(4 + n * 7 % 150) * v.share / 10",
    }
    days = f"generate_series(0, {DAYS_OF_VISITS - 1}) d, (VALUES {values}) v (kind, value, share)"
    yield VisitDay, day, f"{seed.of_sites}, {days} WHERE s.state = 'live'"


def _case(condition: str, then: str, other: str) -> str:
    return f"CASE WHEN {condition} THEN {then} ELSE {other} END"


def _array(words: Sequence[str]) -> str:
    return "ARRAY[" + ", ".join(f"'{word}'" for word in words) + "]"


def _one_of(words: Sequence[str], number: str) -> str:
    return f"({_array(words)})[1 + ({number}) % {len(words)}]"


def _json(value: object) -> str:
    return f"'{json.dumps(value)}'::jsonb"
