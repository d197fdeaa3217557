"""Whose a thing is, by its tags: asked for those alone that no row knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.inventory.lists import Found, tag_dict_of
from sites.provisioning.resources.base import OWNER_TAGS

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


def owner_in(tags: Mapping[str, str]) -> str:
    """The uid that tags of ours name, 12 hex digits; empty when there is none."""
    full = next((tags[tag] for tag in OWNER_TAGS if tag in tags), "")
    return full.replace("-", "")[:12]


def tags_of(clients: Clients, found: Found) -> dict[str, str] | None:
    """Its tags as they are now; None for what AWS gives no tags. Raises ClientError."""
    if found.tags is not None:
        return found.tags
    ask = TAGS.get(found.type)
    return ask(clients, found) if ask else None


def _tags_of_bucket(clients: Clients, found: Found) -> dict[str, str]:
    try:
        return tag_dict_of(clients.s3.get_bucket_tagging(Bucket=found.physical_id)["TagSet"])
    except ClientError as error:
        if error_code(error) == "NoSuchTagSet":
            return {}
        raise


def _tags_of_edge(clients: Clients, found: Found) -> dict[str, str]:
    tags = clients.cloudfront.list_tags_for_resource(Resource=found.attributes["arn"])["Tags"]
    return tag_dict_of(tags.get("Items", []))


def _tags_of_role(clients: Clients, found: Found) -> dict[str, str]:
    return tag_dict_of(clients.iam.list_role_tags(RoleName=found.physical_id)["Tags"])


def _tags_of_policy(clients: Clients, found: Found) -> dict[str, str]:
    return tag_dict_of(clients.iam.list_policy_tags(PolicyArn=found.physical_id)["Tags"])


def _tags_of_subnets(clients: Clients, found: Found) -> dict[str, str]:
    arn = found.attributes["arn"]
    return tag_dict_of(clients.rds.list_tags_for_resource(ResourceName=arn)["TagList"])


def _tags_of_function(clients: Clients, found: Found) -> dict[str, str]:
    return clients.lambda_.list_tags(Resource=found.attributes["arn"]).get("Tags", {})


def _tags_of_log_group(clients: Clients, found: Found) -> dict[str, str]:
    return clients.logs.list_tags_for_resource(resourceArn=found.attributes["arn"])["tags"]


# What is not here has no tags on AWS.
TAGS: Mapping[str, Callable[[Clients, Found], dict[str, str]]] = {
    "bucket": _tags_of_bucket,
    "db_subnet_group": _tags_of_subnets,
    "distribution": _tags_of_edge,
    "key_value_store": _tags_of_edge,
    "lambda_function": _tags_of_function,
    "log_group": _tags_of_log_group,
    "permission_boundary": _tags_of_policy,
    "role": _tags_of_role,
}
