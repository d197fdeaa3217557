"""The contract of a resource: what every module of this folder provides.

A resource is a frozen dataclass of JSON-able fields, the desired state of one thing on AWS. Its
identity (name, CallerReference, token) is derived from those fields, never remembered, so that a
create whose answer was lost is found again by the next ``read``. It recreates itself from its
recorded fields: ``cls.from_inputs(inputs)``, which is how destroy removes what the stack no longer
describes.

A module says how AWS does the four verbs (``_read``, ``_create``, ``_update``, ``_delete``) and by
which codes AWS says "not found", "exists", "in use" and "busy"; what follows from those is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cloudadmin.aws import BotoCoreError, ClientError, error_code, was_answer_lost
from sites.provisioning.documents import differences, ordered, overlay, placed, present, put

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

NOT_RECORDED = {"recorded": False}
OWNER_TAGS = ("cloudadmin:site", "cloudadmin:account")


@dataclass(frozen=True)
class State:
    """One thing as AWS describes it.

    ``properties`` are compared with what is desired, by name; ``attributes`` are what other
    resources refer to (arn, domain_name). When it is not ``ready``, ``waiting_for`` says in words
    what AWS is doing and ``aws_status`` is AWS's own word for it. ``failure`` is AWS's reason when
    it gave up, and ``todo`` what a person can do. An empty ``physical_id`` is a thing that could
    not be created yet. What ``expires_at`` some time has in ``renewal`` how far AWS is with that.
    """

    physical_id: str
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    aws_status: str = ""
    ready: bool = True
    waiting_for: str = ""
    todo: str = ""
    failure: str = ""
    expires_at: datetime | None = None
    renewal: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource(ABC):
    """The four verbs. Each makes its calls and returns at once; waiting is the engine's.

    ``generation`` tells one create from the next: tokens are derived from it. ``accepted`` is laid
    over what is desired; so is ``held``, what is left as it is for this pass alone: both are
    ``{path: value}``. What is sent is therefore ``wanted()``, never a constant. ``usual_wait`` is
    the time in seconds until it is ready.
    """

    type: ClassVar[str]
    keeps_data: ClassVar[bool] = False
    # Deleted, it may still be found: what is left of it is not its own.
    may_remain: ClassVar[bool] = False
    usual_wait: ClassVar[int] = 0
    replace_on: ClassVar[frozenset[str]] = frozenset()
    not_found: ClassVar[frozenset[str]] = frozenset()
    exists: ClassVar[frozenset[str]] = frozenset()
    in_use: ClassVar[frozenset[str]] = frozenset()
    busy: ClassVar[frozenset[str]] = frozenset()
    generation: int = field(default=0, kw_only=True, metadata=NOT_RECORDED)
    accepted: dict[str, Any] = field(default_factory=dict, kw_only=True, metadata=NOT_RECORDED)
    held: dict[str, Any] = field(default_factory=dict, kw_only=True, metadata=NOT_RECORDED)

    @property
    @abstractmethod
    def label(self) -> str:
        """What a person knows it by, in plans and history."""

    @abstractmethod
    def _read(self, clients: Clients, known_id: str) -> State | None: ...

    @abstractmethod
    def _create(self, clients: Clients) -> str | State:
        """Create it: its physical id, or a state that says why it cannot be done yet."""

    @abstractmethod
    def _update(self, clients: Clients, current: State) -> None: ...

    @abstractmethod
    def _delete(self, clients: Clients, current: State) -> State | None: ...

    def desired(self) -> dict[str, Any]:
        """What the properties that AWS reports ought to be, as the stack says."""
        return self.inputs()

    def wanted(self) -> dict[str, Any]:
        """What is desired, under what was accepted and is held: what is compared, and sent."""
        kept = self.accepted
        for path, value in self.held.items():
            kept = put(kept, path, value)
        wanted: dict[str, Any] = overlay(self.desired(), placed(kept))
        return wanted

    def sent(self) -> dict[str, Any]:
        """What is wanted as AWS is told it: without what shall not be set."""
        sent: dict[str, Any] = present(self.wanted())
        return sent

    def with_accepted(self, accepted: dict[str, Any]) -> Self:
        return replace(self, accepted=accepted) if accepted else self

    def belongs_to_another(self, current: State, *, is_recorded: bool) -> bool:
        """Whether its tags name another owner. One without our tags may be ours, half made, when an
        intent was recorded before the create."""
        wanted, found = self.desired().get("Tags"), current.properties.get("Tags")
        if wanted is None or found is None:
            return False
        return any(
            not is_recorded if found.get(tag) is None else found[tag] != wanted[tag]
            for tag in OWNER_TAGS
            if tag in wanted
        )

    def read(self, clients: Clients, known_id: str = "") -> State | None:
        """Ask AWS. None only for AWS's own "not found", never for a refusal.

        ``known_id`` is the physical id as recorded, which saves a search and decides nothing.
        """
        try:
            return self._read(clients, known_id)
        except ClientError as error:
            if error_code(error) in self.not_found:
                return None
            raise

    def create(self, clients: Clients) -> State:
        """Create it; what exists already under its derived name is ours and is adopted."""
        try:
            created = self._create(clients)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) not in self.exists and not was_answer_lost(error):
                raise
            return self._adopted(clients)
        return created if isinstance(created, State) else self._settled(clients, created)

    def update(self, clients: Clients, current: State) -> State:
        """Make it as desired, or keep waiting while AWS is busy with an earlier change."""
        try:
            self._update(clients, current)
        except ClientError as error:
            if error_code(error) not in self.busy:
                raise
            return replace(current, ready=False, waiting_for="AWS to finish an earlier change")
        return self._settled(clients, current.physical_id)

    def delete(self, clients: Clients, current: State) -> State | None:
        """Delete, or take the next step towards it: None when gone, else the state that remains."""
        try:
            remains = self._delete(clients, current)
        except ClientError as error:
            if error_code(error) in self.in_use | self.busy:
                return replace(current, ready=False, waiting_for="AWS to see that nothing uses it")
            # Whose answer was lost is sent again and refused, though it did what was asked.
            remains = self.read(clients, current.physical_id)
            if remains is not None and error_code(error) not in self.not_found:
                raise
            # It may have been a part of it that was not found.
            return remains and replace(
                remains, ready=False, waiting_for="the next look, to delete what is left of it"
            )
        if remains is None and not self.may_remain:
            remains = self.read(clients, current.physical_id)
            return remains and replace(remains, ready=False, waiting_for="AWS to let go of it")
        return remains

    def _adopted(self, clients: Clients) -> State:
        state = self._settled(clients, "")
        if not self.changes(state):
            return state
        # The first of several calls made it, and its answer was lost.
        return replace(state, ready=False, waiting_for="the next look, to finish what is half made")

    def _settled(self, clients: Clients, known_id: str) -> State:
        # AWS's lists may trail its creates.
        return self.read(clients, known_id) or State(
            known_id, ready=False, waiting_for="AWS to show what was just made"
        )

    def inputs(self) -> dict[str, Any]:
        """The fields, as recorded beside the id."""
        return {
            item.name: ordered(getattr(self, item.name))
            for item in fields(self)
            if item.metadata.get("recorded", True)
        }

    @classmethod
    def from_inputs(cls, inputs: dict[str, Any]) -> Self:
        return cls(**inputs)

    def changes(self, current: State) -> dict[str, tuple[Any, Any]]:
        """What differs, as ``{path: (current, desired)}``."""
        wanted = {
            name: value for name, value in self.wanted().items() if name in current.properties
        }
        return differences(ordered(wanted), ordered(current.properties))


def tag_list(tags: dict[str, str]) -> list[Any]:
    """Tags in the shape that most of AWS wants."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: list[Any], wanted: dict[str, str]) -> dict[str, str]:
    """Those of the tags that we set; others' are theirs."""
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"] in wanted}


def listed(call: Callable[..., Any], key: str, **arguments: Any) -> Iterator[Any]:
    """Every item of a CloudFront list, page by page."""
    while True:
        page = call(**arguments)[key]
        yield from page.get("Items", [])
        if not page.get("NextMarker"):
            return
        arguments["Marker"] = page["NextMarker"]
