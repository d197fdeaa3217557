"""What a site's hits are divided by, and why some were not counted, in the words of every page."""

from __future__ import annotations

from typing import NamedTuple

from sites.models import Kind
from sites.visits.query import MEASURE


class Breakdown(NamedTuple):
    """``slug`` is its name in addresses; ``nothing`` stands for the empty value."""

    kind: Kind
    slug: str
    title: str
    column: str
    nothing: str = "Unknown"

    @property
    def measure(self) -> str:
        """What its rows are ordered by."""
        return MEASURE.get(self.kind, "visits")

    def name(self, value: str) -> str:
        """A value as it is shown."""
        match self.kind:
            case Kind.DEVICE if value:
                return value.capitalize()
            case Kind.DEPLOYMENT if value:
                return f"Release {value}"
        return value or self.nothing


BREAKDOWNS = (
    Breakdown(Kind.PATH, "pages", "Pages", "Page"),
    Breakdown(Kind.REFERRER, "referrers", "Referrers", "Referrer", "Direct, or not told"),
    Breakdown(Kind.COUNTRY, "countries", "Countries", "Country"),
    Breakdown(Kind.DEVICE, "devices", "Devices", "Device"),
    Breakdown(Kind.DEPLOYMENT, "deployments", "Deployments", "Deployment", "Release not told"),
)
# Of all sites together.
SITES = Breakdown(Kind.ALL, "sites", "Sites", "Site")
BY_SLUG = {breakdown.slug: breakdown for breakdown in BREAKDOWNS}


class Reason(NamedTuple):
    title: str
    why: str
    todo: str = "Nothing is to be done."


# By the words of ``counter.count_hit`` and of the counter function (lambda_src/counter).
REASONS = {
    "limit": Reason(
        "Too many in a minute",
        "One visitor counts five times a minute at most, so that nobody can turn the number up by "
        "reloading. The page shows the number all the same.",
        "Nothing, unless it goes on for days: then somebody tries. It costs you next to nothing.",
    ),
    "again": Reason(
        "Sent twice",
        "The same pageview came again, as when an answer was lost and the page asked once more. "
        "It was counted the first time.",
    ),
    "declined": Reason(
        "Asked not to be counted",
        "The browser sends Do Not Track or Global Privacy Control, and that is respected.",
    ),
    "prefetch": Reason(
        "Loaded ahead",
        "The browser fetched the page before anybody opened it. It counts once it is looked at.",
    ),
    "head": Reason(
        "Only asked whether it is there",
        "A HEAD request, as monitors and link checkers send. Nobody saw the page.",
    ),
    "other-site": Reason(
        "Asked from another site",
        "A page that is not of this site called its counter: a copy of your page, or somebody who "
        "plays with the number.",
        "If that page is yours, add its domain to this site, or give it a counter of its own.",
    ),
    "own": Reason(
        "Your own visits",
        "The browser was told on the page /_cloudadmin/me of your site not to be counted.",
        "To be counted again, open that page in the same browser and switch it back.",
    ),
    "clock": Reason(
        "From another day",
        "The pageview says that it is older or newer than a day: the page came out of a cache, or "
        "the clock of the computer is wrong.",
        "Nothing for a few. If all of yours are left out, set the clock of your computer.",
    ),
}


def reason_of(value: str) -> Reason:
    return REASONS.get(value) or Reason(value, "The counter gave this reason.")
