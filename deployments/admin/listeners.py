"""Who hears of a site's deployments, and whether they did."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from deployments.admin.row_actions import ActingAdmin, RowAction
from deployments.models import Event, Listener, Message
from deployments.notifications import delivery
from deployments.notifications.addresses import AddressRefused, check
from deployments.notifications.messages import send_soon
from deployments.notifications.post import new_secret
from sites.admin.base import HistoryAdmin, VisibleFilter, ago, badge, shortened, until
from sites.errors import Refused
from sites.people import Act

MESSAGES_SHOWN = 10


class ListenerForm(forms.ModelForm):  # type: ignore[type-arg]
    events = forms.MultipleChoiceField(
        choices=Event.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        initial=[Event.SUCCEEDED, Event.FAILED],
    )

    class Meta:
        model = Listener
        fields = ("site", "kind", "address", "events", "is_active")
        labels: ClassVar = {"is_active": "Active"}
        help_texts: ClassVar = {"is_active": "What happens while it is off is not told later."}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        address = data.get("address", "")
        try:
            if data.get("kind") == Listener.Kind.EMAIL:
                validate_email(address)
            elif address:
                check(address)
        except forms.ValidationError as error:
            self.add_error("address", error)
        except AddressRefused as refused:
            self.add_error("address", str(refused))
        return data

    def save(self, commit: bool = True) -> Any:
        self.instance.secret = self.instance.secret or new_secret()
        return super().save(commit)


@admin.register(Listener)
class ListenerAdmin(ActingAdmin[Listener]):
    form = ListenerForm
    change_form_template = "deployments/listener.html"
    list_display = ("address", "site", "kind", "hears", "state")
    list_filter = ("kind", "is_active", ("site", VisibleFilter))
    list_select_related = ("site",)
    search_fields = ("address", "site__name")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.row_actions = (
            RowAction(
                "test",
                "Test",
                "send",
                "A test message is sent at once, and its answer shown.",
                self._test,
            ),
            RowAction(
                "new-secret",
                "New secret",
                "key",
                "Messages are signed with the new secret from then on, those that are tried "
                "again too.",
                self._new_secret,
                is_offered=lambda row: row.kind == Listener.Kind.WEBHOOK,
                danger=True,
                needs=Act.OWN,
            ),
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Listener | None = None
    ) -> tuple[str, ...]:
        return ("site", "kind") if obj else ()

    def response_add(
        self, request: HttpRequest, obj: Listener, post_url_continue: str | None = None
    ) -> HttpResponse:
        if obj.kind == Listener.Kind.WEBHOOK:
            return self._secret_page(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def panel_context(self, request: HttpRequest, row: Listener) -> dict[str, Any]:
        sent = row.messages.select_related("deployment").defer("deployment__manifest")
        return {"sent": sent[:MESSAGES_SHOWN], "failing_since": delivery.failing_since(row)}

    @admin.display(description="hears of")
    def hears(self, row: Listener) -> str:
        return ", ".join(str(Event(event).label).lower() for event in row.events)

    @admin.display(description="state", ordering="is_active")
    def state(self, row: Listener) -> SafeString:
        return badge("live", "Active") if row.is_active else badge("inactive", "Switched off")

    def _test(self, request: HttpRequest, row: Listener) -> str:
        answer = delivery.test(row)
        if not answer.is_delivered:
            raise Refused(f"It was not taken. {answer.said}")
        return f"It was taken: {answer.said}"

    def _new_secret(self, request: HttpRequest, row: Listener) -> HttpResponse:
        row.secret = new_secret()
        row.save(update_fields=["secret"])
        return self._secret_page(request, row)

    def _secret_page(self, request: HttpRequest, row: Listener) -> HttpResponse:
        return self.secret_page(
            request,
            row,
            title=f"Secret of {row}",
            secret=row.secret,
            what="Every message is signed with it, as Standard Webhooks says.",
        )


@admin.register(Message)
class MessageAdmin(HistoryAdmin[Message], ActingAdmin[Message]):
    list_display = ("told", "receiver", "state", "answered", "tries", "when")
    site_path = "deployment__site"
    list_filter = ("status", "event", ("listener", VisibleFilter))
    list_select_related = ("listener", "deployment__site")
    search_fields = ("listener__address", "deployment__site__name", "answer")
    search_help_text = "An address, a site, or words of an answer"
    readonly_fields = fields = (
        "told",
        "receiver",
        "state",
        "answer",
        "tries",
        "next_try",
        "when",
        "sent_at",
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.row_actions = (
            RowAction(
                "resend",
                "Send again",
                "send",
                "It is sent with the same id as before, so that a receiver that has it already "
                "can tell.",
                self._resend,
                is_offered=lambda row: row.status != Message.Status.QUEUED,
            ),
        )

    def panel_context(self, request: HttpRequest, row: Message) -> dict[str, Any]:
        return {"is_history": True}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("deployment__manifest")

    @admin.display(description="message", ordering="pk")
    def told(self, row: Message) -> str:
        return f"{row.get_event_display()}: {row.deployment}"

    @admin.display(description="to")
    def receiver(self, row: Message) -> str:
        return row.listener.address if row.listener else "GitHub"

    @admin.display(description="status", ordering="status")
    def state(self, row: Message) -> SafeString:
        return badge(row.status, row.get_status_display())

    @admin.display(description="answer")
    def answered(self, row: Message) -> SafeString | str:
        return shortened(row.answer)

    @admin.display(description="next try")
    def next_try(self, row: Message) -> SafeString | str:
        return until(row.next_try_at) if row.status == Message.Status.QUEUED else "–"

    @admin.display(description="happened", ordering="created_at")
    def when(self, row: Message) -> SafeString | str:
        return ago(row.created_at)

    def _resend(self, request: HttpRequest, row: Message) -> str:
        if not delivery.again(row):
            raise Refused("It is being sent just now.")
        send_soon(row)
        return "It is on its way again."
