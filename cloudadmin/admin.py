"""Who may log in: Django's own users, in the dashboard's clothes.

What they may is asked of roles: there is nothing of permissions and groups here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from sites.admin.base import RolesMixin
from sites.people.membership import is_last_superuser, last_owned

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.auth.forms import (
        AdminPasswordChangeForm,
        UserChangeForm,
        UserCreationForm,
    )
else:
    from unfold.admin import ModelAdmin
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


class ChangeForm(UserChangeForm):  # type: ignore[type-arg]
    def clean_username(self) -> str:
        """As at creation: nobody is named like somebody else but for the case."""
        name: str = self.cleaned_data["username"]
        if User.objects.exclude(pk=self.instance.pk).filter(username__iexact=name).exists():
            raise forms.ValidationError("Somebody has this name; choose another.")
        return name

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        stays = data.get("is_active", True)
        goes = not (stays and data.get("is_superuser", True))
        if goes and is_last_superuser([self.instance]):
            raise forms.ValidationError("This is the last superuser: make somebody else one first.")
        if not stays and (teams := last_owned(self.instance)):
            raise forms.ValidationError(_only_owner(teams))
        return data


@admin.register(User)
class UserAdmin(RolesMixin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    actions = None  # one by one: each deletion asks who is there
    form = ChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_superuser", "is_active")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields: ClassVar = ("last_login", "date_joined")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Everybody who is here may open the dashboard; what is in it for them, roles say."""
        obj.is_staff = True
        super().save_model(request, obj, form, change)
        # A former mailbox resets no password, and is nobody's at the provider.
        EmailAddress.objects.filter(user=obj).exclude(email__iexact=obj.email).delete()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A team is not left without an owner, nor the installation without a superuser."""
        deletable, counts, needed, protected = super().get_deleted_objects(objs, request)
        going = list(objs)
        for user in going:
            teams = last_owned(user)
            protected += [f"{user}: {_only_owner(teams)}"] if teams else []
        if is_last_superuser(going):
            protected.append("The last superuser: make somebody else one first.")
        return deletable, counts, needed, protected


def _only_owner(teams: list[str]) -> str:
    return f"The only owner of {', '.join(teams)}: make somebody else owner first."
