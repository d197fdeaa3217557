"""The form of a site's settings: what each means, and what AWS needs after one was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sites.models import Site, Team

if TYPE_CHECKING:
    Settings = forms.ModelForm[Site]
else:
    Settings = forms.ModelForm

# What the router reads at the edge, live in seconds; all else is a change on AWS.
AT_THE_EDGE = frozenset({"is_spa", "trailing_slash"})
AT_THE_NEXT_DEPLOY = "injects_snippet"
HERE_ALONE = frozenset({"team"})
WHERE = "Where everything of the site is made; it cannot be changed later."


class SettingsForm(Settings):
    class Meta:
        help_texts: ClassVar[dict[str, str]] = {
            "name": "It names the site here and on AWS, and cannot be changed later.",
            "account": WHERE,
            "account_name": WHERE,
            "team": "Whose people look after it, each as far as their role goes.",
            "price_class": "Where CloudFront answers from. Visitors elsewhere are served from the "
            "nearest of these places.",
            "headers": "What browsers are told with every answer. Strict breaks pages that load "
            "scripts, fonts or frames from elsewhere.",
            "trailing_slash": "Each page has one address; the other one redirects to it.",
            "has_counter": "Counts visits without cookies. The first counter of an account needs a "
            "database, which the plan prices.",
            "injects_snippet": "Each deploy puts the counter's script at the end of pages that "
            "lack it; all else in them stays as it is. A release that a client sends by "
            "its hashes is published as it was sent.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Where it is now it may stay, whoever saves the rest."""
        super().__init__(*args, **kwargs)
        team: Any = self.fields.get("team")
        if team is not None:
            team.queryset |= Team.objects.filter(pk=self.instance.team_id or 0)


def what_aws_needs(form: Any) -> SafeString | str:
    """After what was saved, in a sentence with the way to the plan; empty when nothing changed."""
    changed = set(form.changed_data) - HERE_ALONE
    if not changed:
        return ""
    if changed == {AT_THE_NEXT_DEPLOY}:
        return "The pages of the next deploy are made so: until then the site serves what it does."
    changed.discard(AT_THE_NEXT_DEPLOY)
    if changed <= AT_THE_EDGE:
        return "Visitors get it in seconds: it is changed at the edge alone, nothing else on AWS."
    return format_html(
        'It is not on AWS yet. <a class="text-link" href="{}">See the plan, then provision</a>; '
        "the site goes on serving meanwhile.",
        reverse("admin:sites_site_provision", args=[form.instance.pk]),
    )
