"""The contract of a resource: what every module of this folder provides.

A resource is a frozen dataclass of JSON-able fields, the desired state of one thing on AWS. Its
identity (name, CallerReference, token) is derived from those fields, never remembered, so that a
create whose answer was lost is found again by the next ``read``. It recreates itself from its
recorded fields: ``cls(**inputs)``, which is how destroy removes what the stack no longer describes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class State:
    """One thing as AWS describes it.

    ``properties`` are compared with the resource's fields by name; ``attributes`` are what other
    resources refer to (arn, domain_name). When it is not ``ready``, ``waiting_for`` says in words
    what AWS is doing and ``aws_status`` is AWS's own word for it.
    """

    physical_id: str
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    aws_status: str = ""
    ready: bool = True
    waiting_for: str = ""


@dataclass(frozen=True)
class Resource(ABC):
    """The four verbs. Each makes its calls and returns at once; waiting is the engine's."""

    type: ClassVar[str]
    replace_on: ClassVar[frozenset[str]] = frozenset()

    def inputs(self) -> dict[str, Any]:
        """The fields, as recorded beside the id."""
        return asdict(self)

    @classmethod
    def from_inputs(cls, inputs: dict[str, Any]) -> Self:
        return cls(**inputs)

    @abstractmethod
    def read(self, clients: Clients) -> State | None:
        """Ask AWS. None only for AWS's own "not found", never for a refusal."""

    @abstractmethod
    def create(self, clients: Clients) -> State: ...

    @abstractmethod
    def update(self, clients: Clients, current: State) -> State: ...

    @abstractmethod
    def delete(self, clients: Clients, current: State) -> State | None:
        """Delete, or take the next step towards it: None when gone, else the state that remains."""

    def changes(self, current: State) -> dict[str, tuple[Any, Any]]:
        """Fields that differ, as ``{name: (current, desired)}``."""
        desired = self.inputs()
        return {
            name: (value, desired[name])
            for name, value in current.properties.items()
            if name in desired and value != desired[name]
        }
