"""What the first screen asks, and what is wrong with an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.text import slugify

from deployments.models import Launch
from deployments.source import SourceRefused
from deployments.source.remote import parse
from sites.models import Account, Domain, Site, Team
from sites.models.domain import DOMAIN_NAME, NOT_RESERVED, as_typed, is_wildcard
from sites.people import Act, visible
from sites.people.accounts import accounts_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Source = Launch.Source
LONGEST_NAME = 40
# What IDNA of 2003 and of 2008 turn into different names.
AMBIGUOUS = frozenset("ßς\u200c\u200d")
NO_ACCOUNT = (
    "No AWS account is yours yet. Ask whoever looks after this installation to make your team's "
    "first site on one."
)
FIELDS = ("name", "team", "account", "source", "git_url", "domain", "has_counter")


class DraftForm(forms.Form):
    """``launch`` is the draft that the answers are kept in, if there is one."""

    name = forms.CharField(required=False)
    team = forms.ModelChoiceField(Team.objects.none(), required=False)
    account = forms.ModelChoiceField(
        Account.objects.none(),
        required=False,
        error_messages={"invalid_choice": "That AWS account is not yours to make sites on."},
    )
    source = forms.ChoiceField(choices=Source.choices)
    git_url = forms.CharField(required=False)
    domain = forms.CharField(required=False)
    has_counter = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user
        self.teams = list(visible(user, Team.objects.all(), Act.CREATE))
        self.accounts = list(accounts_for(user))
        self._choices("team", Team, self.teams)
        self._choices("account", Account, self.accounts)

    @classmethod
    def of(cls, launch: Launch, user: User) -> DraftForm:
        """What is in a draft, judged as if it were typed now."""
        data = {name: getattr(launch, name) for name in FIELDS}
        data |= {"team": launch.team_id or "", "account": launch.account_id or ""}
        return cls(data, user=user)

    @property
    def asks_for_team(self) -> bool:
        return len(self.teams) > 1 or bool(self.teams and self.user.is_superuser)

    @property
    def asks_for_account(self) -> bool:
        return len(self.accounts) > 1

    def kept(self) -> dict[str, Any]:
        """For the draft: what is right as it was understood, the rest as it was typed."""
        self.is_valid()
        typed = {name: self.data.get(name, "") for name in ("name", "git_url", "domain")}
        limits = {"name": 200, "git_url": 500, "domain": 300}
        kept: dict[str, Any] = {
            name: str(typed[name]).replace("\0", "").strip()[: limits[name]] for name in typed
        }
        kept |= {name: self.cleaned_data[name] for name in FIELDS if name in self.cleaned_data}
        kept.setdefault("source", Source.FILES)
        return kept

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if problem := wrong_with_name(name):
            raise ValidationError(problem)
        return name

    def clean_team(self) -> Team | None:
        team: Team | None = self.cleaned_data["team"]
        if team is None and not self.user.is_superuser:
            if len(self.teams) != 1:
                raise ValidationError("Choose the team that shall have the site.")
            return self.teams[0]
        return team

    def clean_account(self) -> Account:
        account: Account | None = self.cleaned_data["account"]
        if account is None and len(self.accounts) == 1:
            return self.accounts[0]
        if not self.accounts:
            raise ValidationError(NO_ACCOUNT)
        if account is None:
            raise ValidationError("Choose the AWS account that shall have the site.")
        return account

    def clean_git_url(self) -> str:
        url: str = self.cleaned_data["git_url"]
        if self.data.get("source") != Source.GIT:
            return url[:500]
        if not url:
            raise ValidationError("Give the address of the repository.")
        if len(url) > 500:
            raise ValidationError("An address has at most 500 characters.")
        try:
            parse(url, tuple(settings.CLOUDADMIN_GIT_SCHEMES))
        except SourceRefused as refused:
            raise ValidationError(sentence(str(refused))) from None
        return url

    def clean_domain(self) -> str:
        name = in_dns(self.cleaned_data["domain"])
        if name and Domain.objects.filter(name=name).exists():
            raise ValidationError(
                f"{name} belongs to another site here. Take it from there first, or go on without."
            )
        return name

    def _choices(self, name: str, model: Any, rows: list[Any]) -> None:
        field: Any = self.fields[name]
        field.queryset = model.objects.filter(pk__in=[row.pk for row in rows])


def wrong_with_name(name: str) -> str:
    """In a sentence with what to try; empty when a new site may have it."""
    if not name:
        return "Give the site a name, such as “my-site”."
    if len(name) > LONGEST_NAME:
        return f"A name has at most {LONGEST_NAME} characters; this one has {len(name)}."
    field = Site._meta.get_field("name")
    if not all(_matches(rule, name) for rule in field.validators if _is_pattern(rule)):
        better = slugify(name)[:LONGEST_NAME].strip("-_").replace("_", "-")
        again = f" How about “{better}”?" if better and better != name else ""
        return f"A name has lower-case letters, digits and hyphens between them.{again}"
    if Site.objects.filter(name=name).exists():
        return f"There is a site “{name}” already. Choose another name."
    return ""


def in_dns(typed: str) -> str:
    """A domain as the DNS has it: lower case, “xn--” for what is not ASCII. Raises
    ValidationError."""
    name = as_typed(typed)
    if not name:
        return ""
    if is_wildcard(name):
        raise ValidationError(
            "A domain with a star is that of previews; add it to the site once it is live."
        )
    if AMBIGUOUS & {*name}:
        raise ValidationError(
            "This name can be read in two ways. Give it as your registrar shows it (“xn--…”)."
        )
    try:
        name = name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        raise ValidationError(DOMAIN_NAME.message) from None
    for rule in (DOMAIN_NAME, NOT_RESERVED):
        rule(name)
    return name


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_pattern(rule: Any) -> bool:
    return isinstance(rule, RegexValidator)


def _matches(rule: Any, name: str) -> bool:
    try:
        rule(name)
    except ValidationError:
        return False
    return True
