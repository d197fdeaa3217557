"""Invalidations of one distribution in progress at a time: so many files, so many wildcards.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from localcloud.wire import Answer, xml_error

FILES = 3000
WILDCARDS = 15


@dataclass(frozen=True)
class Batch:
    """What an invalidation asks for; the pair of ids says which one it is."""

    distribution_id: str
    caller_reference: str
    paths: tuple[str, ...]

    @classmethod
    def read(cls, distribution_id: str, root: Element) -> Batch:
        paths = (each.text or "" for each in root.findall(".//{*}Paths//{*}Path"))
        return cls(distribution_id, root.findtext(".//{*}CallerReference", ""), tuple(paths))


class Invalidations:
    """``in_progress`` tells it of an invalidation's id."""

    def __init__(self, in_progress: Callable[[str], bool]) -> None:
        self.in_progress = in_progress
        self._batches: dict[str, Batch] = {}

    def add(self, invalidation_id: str, batch: Batch) -> None:
        self._batches[invalidation_id] = batch

    def refuse(self, batch: Batch) -> Answer | None:
        # A tag begins with #.
        # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
        if not batch.paths or not all(path.startswith(("/", "#")) for path in batch.paths):
            return xml_error(
                "InvalidArgument",
                "Your request contains one or more invalid invalidation paths: in the API, each "
                "begins with a slash.",
            )
        if count(batch.paths)[0] > FILES:
            return xml_error("BatchTooLarge", "Your request contains too many paths.", 413)
        files, wildcards = count([*self._others(batch), *batch.paths])
        if files > FILES or wildcards > WILDCARDS:
            return xml_error(
                "TooManyInvalidationsInProgress",
                "Processing your request will cause you to exceed the maximum number of "
                f"in-progress {'wildcard ' if wildcards > WILDCARDS else ''}invalidations.",
            )
        return None

    def _others(self, batch: Batch) -> list[str]:
        """The paths of the distribution in progress, besides those of a batch sent again."""
        self._batches = {key: each for key, each in self._batches.items() if self.in_progress(key)}
        return [
            path
            for each in self._batches.values()
            if each.distribution_id == batch.distribution_id
            and each.caller_reference != batch.caller_reference
            for path in each.paths
        ]


def count(paths: Sequence[str]) -> tuple[int, int]:
    """Files, and wildcards: each has its own quota."""
    wildcards = sum(path.endswith("*") for path in paths)
    return len(paths) - wildcards, wildcards
