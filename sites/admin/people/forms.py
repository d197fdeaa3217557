"""What is asked for where roles are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
)

from sites.models import Role, Site, Team
from sites.people import role_of
from sites.plain import one_line

if TYPE_CHECKING:
    TeamModelForm = forms.ModelForm[Team]
else:
    TeamModelForm = forms.ModelForm

MAY = {
    Role.VIEWER: "sees the site, its deployments and its visitors",
    Role.DEPLOYER: "also deploys, publishes, rolls back, invalidates, locks",
    Role.OPERATOR: "also changes settings, domains and what is on AWS",
    Role.OWNER: "also destroys, makes tokens, invites people and gives roles",
}


class RoleForm(forms.Form):
    """The roles that the person may give, which are none above their own."""

    role = forms.TypedChoiceField(
        coerce=lambda value: Role(int(value)), widget=UnfoldAdminRadioSelectWidget()
    )

    def __init__(self, *args: Any, by: User, about: Site | Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = role_of(by, about) or 0
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (role.value, f"{role.label}: {MAY[role]}") for role in Role if role <= own
        ]


class InviteForm(RoleForm):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "role")


class TeamForm(TeamModelForm):
    name = forms.CharField(
        max_length=80,
        help_text="As in “Acme Studio”.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Team
        fields = ("name",)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if one_line(name) != name:
            raise forms.ValidationError("A name is one line of plain text; take the rest out.")
        return name
