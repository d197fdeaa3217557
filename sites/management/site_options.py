"""The settings of a site and its domains, as options of commands."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from sites.models import Domain, Site

# Option -> field of Site. Without the option, the field stays as it is.
FIELDS = {
    "price_class": "price_class",
    "headers": "headers",
    "trailing_slash": "trailing_slash",
    "counter": "has_counter",
    "counter_slots": "counter_slots",
    "inject": "injects_snippet",
    "spa": "is_spa",
}


def add_settings(parser: CommandParser) -> None:
    parser.add_argument("--price-class", choices=Site.PriceClass.values, help="where it is near")
    parser.add_argument("--headers", choices=Site.Headers.values, help="preset of security headers")
    parser.add_argument(
        "--trailing-slash", choices=Site.TrailingSlash.values, help="of the addresses of pages"
    )
    parser.add_argument("--counter", action=BooleanOptionalAction, help="visitor counter")
    parser.add_argument(
        "--counter-slots",
        type=int,
        metavar="1-16",
        help="for a site with hundreds of hits a second: how many it counts at once",
    )
    parser.add_argument(
        "--inject",
        action=BooleanOptionalAction,
        help="each deploy puts the counter's snippet into the HTML pages",
    )
    parser.add_argument(
        "--spa",
        action=BooleanOptionalAction,
        help="index.html answers for pages that are not there",
    )


def set_fields(site: Site, options: dict[str, Any]) -> list[str]:
    """The names of the fields that are others now."""
    given = {field: options[option] for option, field in FIELDS.items()}
    changed = [
        field
        for field, value in given.items()
        if value is not None and value != getattr(site, field)
    ]
    for field in changed:
        setattr(site, field, given[field])
    return changed


def add_domains(site: Site, names: list[str]) -> None:
    for name in names:
        save_or_explain(Domain(site=site, name=canonical(name)))


def set_redirects(site: Site, names: list[str], *, redirects: bool) -> list[str]:
    """The domains that changed sides."""
    changed = [domain for name in names if (domain := domain_of(site, name)).redirects != redirects]
    for domain in changed:
        domain.redirects = redirects
        save_or_explain(domain)
    return [domain.name for domain in changed]


def refuse_redirects_to_nowhere(site: Site) -> None:
    domains = [domain for domain in site.domains.all() if not domain.is_wildcard]
    if domains and all(domain.redirects for domain in domains):
        raise CommandError(
            f"Every domain of {site.name} would redirect, and none be there to redirect to. "
            "Add the domain that shall serve, or let one serve with --no-redirect."
        )


def domain_of(site: Site, name: str) -> Domain:
    found = site.domains.filter(name=canonical(name)).first()
    if found is None:
        names = ", ".join(site.domains.values_list("name", flat=True)) or "none"
        raise CommandError(f"“{name}” is no domain of {site.name}. It has: {names}.")
    return found


def canonical(name: str) -> str:
    return name.lower().rstrip(".")


def save_or_explain(row: Site | Domain) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise CommandError(f"“{row.name}”: {' '.join(error.messages)}") from error
    row.save()
