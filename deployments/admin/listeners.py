"""Who hears of what happens to sites, and whether they did."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.validators import validate_email
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from deployments.admin.row_actions import ActingAdmin, RowAction
from deployments.models import Event, Listener, Message
from deployments.notifications import chat, delivery
from deployments.notifications.addresses import AddressRefused, check
from deployments.notifications.messages import send_soon, with_turns
from deployments.notifications.post import new_secret
from sites.admin.base import HistoryAdmin, VisibleFilter, ago, badge, shortened, until
from sites.errors import Refused
from sites.people import Act, may

MESSAGES_SHOWN = 10


class ListenerForm(forms.ModelForm):  # type: ignore[type-arg]
    chat_address = ""
    events = forms.MultipleChoiceField(
        choices=Event.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        initial=[event for event in Event if event != Event.STARTED],
    )

    class Meta:
        model = Listener
        fields = ("site", "team", "account", "kind", "address", "events", "is_active")
        labels: ClassVar = {
            "is_active": "Active",
            "team": "Or all sites of a team",
            "account": "Or all sites of an account",
        }
        help_texts: ClassVar = {
            "is_active": "What happens while it is off is not told later.",
            "address": "An https URL, an e-mail address, or of a chat an address such as "
            "slack://…, discord://…, ntfy://topic or ntfys://host/topic; what Slack and Discord "
            "show as a webhook's URL will do. A chat's is kept encrypted, and shown shortened.",
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        whose = [data[name] for name in ("site", "team", "account") if data.get(name)]
        if len(whose) != 1 and not self.errors and self.instance.pk is None:
            self.add_error("site", "Choose one: a site, a team or an account.")
        address = data.get("address", "")
        kind = data.get("kind") or self.instance.kind
        try:
            if kind == Listener.Kind.EMAIL:
                validate_email(address)
            elif kind == Listener.Kind.CHAT and address:
                self._check_chat(address)
            elif address:
                check(address)
        except forms.ValidationError as error:
            self.add_error("address", error)
        except AddressRefused as refused:
            self.add_error("address", str(refused))
        return data

    def _check_chat(self, address: str) -> None:
        """The address is a secret: what is kept beside it is what may be shown."""
        if "address" in self.changed_data or not self.instance.pk:
            self.cleaned_data["address"] = chat.check(address)
            self.chat_address = address

    def save(self, commit: bool = True) -> Any:
        made = self.chat_address or self.instance.secret or new_secret()
        self.instance.secret = made
        return super().save(commit)


@admin.register(Listener)
class ListenerAdmin(ActingAdmin[Listener]):
    form = ListenerForm
    change_form_template = "deployments/listener.html"
    empty_hint = (
        "A webhook, a mailbox or a chat that is told when a deployment ends, when something fails "
        "or waits for you, and when AWS was changed by hand."
    )
    list_display = ("address", "about", "kind", "hears", "state")
    list_filter = ("kind", "is_active", ("site", VisibleFilter))
    list_select_related = ("site", "team", "account")
    search_fields = ("address", "site__name", "team__name", "account__name")

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
        return ("about", "kind") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Listener | None = None) -> Any:
        """Those who hear of many sites are the administrators' matter."""
        rest = ["kind", "address", "events", "is_active"]
        if obj is not None:
            return ["about", *rest]
        wide = ["team", "account"] if may(request.user, Act.ADMINISTER) else []
        return ["site", *wide, *rest]

    def response_add(
        self, request: HttpRequest, obj: Listener, post_url_continue: str | None = None
    ) -> HttpResponse:
        if obj.kind == Listener.Kind.WEBHOOK:
            return self._secret_page(request, obj)
        said = f"{obj} hears of {obj.about} from now on. “Test” shows whether it arrives."
        self.message_user(request, said, messages.SUCCESS)
        return redirect(self._page(obj))

    def panel_context(self, request: HttpRequest, row: Listener) -> dict[str, Any]:
        sent = with_turns(row.messages.select_related("deployment", "site", "account"))
        sent = sent.defer("deployment__manifest")
        return {"sent": sent[:MESSAGES_SHOWN], "failing_since": delivery.failing_since(row)}

    @admin.display(description="of", ordering="site__name")
    def about(self, row: Listener) -> str:
        return row.about

    @admin.display(description="hears of")
    def hears(self, row: Listener) -> str:
        return ", ".join(str(Event(event).label) for event in row.events)

    @admin.display(description="state", ordering="is_active")
    def state(self, row: Listener) -> SafeString:
        return badge("live", "Active") if row.is_active else badge("inactive", "Switched off")

    def _test(self, request: HttpRequest, row: Listener) -> str:
        answer = delivery.test(row)
        if not answer.is_delivered:
            raise Refused(f"It was not taken. {answer.said}")
        waiting = delivery.all_again(row)
        also = f" What waited for another try ({waiting}) is sent now, too." if waiting else ""
        return f"The test arrived: {answer.said.rstrip('.')}.{also}"

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


def theirs(user: Any, rows: QuerySet[Message]) -> QuerySet[Message]:
    """Without what went to a listener of a whole team or account, whose address is a secret of the
    administrators who set it up."""
    of_one = Q(listener=None) | Q(listener__site__isnull=False)
    return rows if may(user, Act.ADMINISTER) else rows.filter(of_one)


@admin.register(Message)
class MessageAdmin(HistoryAdmin[Message], ActingAdmin[Message]):
    list_display = ("message", "receiver", "state", "answered", "tries", "when")
    site_path = "site"
    list_filter = ("status", "event", ("listener", VisibleFilter))
    list_select_related = ("listener", "site", "account", "deployment__site")
    search_fields = ("listener__address", "site__name", "answer")
    search_help_text = "An address, a site, or words of an answer"
    readonly_fields = fields = (
        "message",
        "receiver",
        "state",
        "answer",
        "tries",
        "next_try",
        "when",
        "sent",
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
                is_offered=lambda row: row.status != Message.Status.QUEUED or row.tries > 0,
            ),
        )

    def panel_context(self, request: HttpRequest, row: Message) -> dict[str, Any]:
        return {"is_history": True}

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = theirs(request.user, super().get_queryset(request))
        return with_turns(rows).defer("deployment__manifest")

    @admin.display(description="message", ordering="pk")
    def message(self, row: Message) -> str:
        return str(row)

    @admin.display(description="to")
    def receiver(self, row: Message) -> str:
        return row.listener.address if row.listener else "GitHub"

    @admin.display(description="status", ordering="status")
    def state(self, row: Message) -> SafeString:
        shown = badge(row.status, row.get_status_display())
        if row.status != Message.Status.QUEUED:
            return shown
        return format_html("{} {}", shown, self.next_try(row))

    @admin.display(description="answer")
    def answered(self, row: Message) -> SafeString | str:
        return row.answer if row.status == Message.Status.SENT else shortened(row.answer)

    @admin.display(description="next try")
    def next_try(self, row: Any) -> SafeString | str:
        """When; of one that waits until another to the same receiver has arrived, that."""
        if row.status != Message.Status.QUEUED:
            return "–"
        return "after the one before it" if row.is_behind else until(row.next_try_at)

    @admin.display(description="happened", ordering="created_at")
    def when(self, row: Message) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="sent")
    def sent(self, row: Message) -> SafeString | str:
        return ago(row.sent_at)

    def _resend(self, request: HttpRequest, row: Message) -> str:
        if not delivery.again(row):
            raise Refused("It is being sent just now.")
        send_soon(row)
        return "It is on its way again."
