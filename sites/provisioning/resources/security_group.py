"""``AWS::EC2::SecurityGroup``: who may reach the counters' database, which is its own members.

The database and the functions are in it, and it lets in PostgreSQL from itself, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State, tag_dict, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

ITSELF = "itself"
RULE = f"tcp 5432:5432 {ITSELF}"


@dataclass(frozen=True)
class SecurityGroup(Resource):
    type = "security_group"
    not_found = frozenset({"InvalidGroup.NotFound", "InvalidGroupId.Malformed"})
    # The second, of one that was made in two calls of which the second's answer was lost.
    exists = frozenset({"InvalidGroup.Duplicate", "InvalidPermission.Duplicate"})
    busy = frozenset({"InvalidPermission.Duplicate", "InvalidPermission.NotFound"})
    # A function's network interfaces go some 20 minutes after it.
    in_use = frozenset({"DependencyViolation", "InvalidGroup.InUse"})
    name: str
    vpc_id: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {"IpPermissions": [RULE], "Tags": self.tags}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        filters = [{"Name": "group-name", "Values": [self.name]}]
        groups = clients.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        if not groups:
            return None
        group = groups[0]
        return State(
            group["GroupId"],
            {"IpPermissions": rules(group), "Tags": tag_dict(group.get("Tags", []), self.tags)},
            {"vpc_id": group["VpcId"]},
        )

    def _create(self, clients: Clients) -> str:
        wanted = self.sent()
        tags = {"ResourceType": "security-group", "Tags": tag_list(wanted["Tags"])}
        group_id: str = clients.ec2.create_security_group(
            GroupName=self.name,
            Description="Counters of cloudadmin and their database",
            VpcId=self.vpc_id,
            TagSpecifications=[tags],
        )["GroupId"]
        self._let_in(clients, group_id, wanted["IpPermissions"])
        return group_id

    def _update(self, clients: Clients, current: State) -> None:
        wanted, found = self.sent(), current.properties["IpPermissions"]
        group_id, asked = current.physical_id, wanted["IpPermissions"]
        if extra := [rule for rule in found if rule not in asked]:
            clients.ec2.revoke_security_group_ingress(
                GroupId=group_id, IpPermissions=[permission(rule, group_id) for rule in extra]
            )
        self._let_in(clients, group_id, [rule for rule in asked if rule not in found])
        if wanted["Tags"] != current.properties["Tags"]:
            clients.ec2.create_tags(Resources=[group_id], Tags=tag_list(wanted["Tags"]))

    def _let_in(self, clients: Clients, group_id: str, asked: list[str]) -> None:
        if asked:
            clients.ec2.authorize_security_group_ingress(
                GroupId=group_id, IpPermissions=[permission(rule, group_id) for rule in asked]
            )

    def _delete(self, clients: Clients, current: State) -> None:
        clients.ec2.delete_security_group(GroupId=current.physical_id)


def rules(group: Any) -> list[str]:
    """What it lets in, one line each: protocol, ports, source; sorted."""
    return sorted(
        f"{each['IpProtocol']} {each.get('FromPort', '*')}:{each.get('ToPort', '*')} {source}"
        for each in group["IpPermissions"]
        for source in _sources(each, group["GroupId"])
    )


def _sources(permission: Any, own_id: str) -> Iterator[str]:
    for pair in permission.get("UserIdGroupPairs", []):
        yield ITSELF if pair["GroupId"] == own_id else pair["GroupId"]
    for key, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        yield from (each[name] for each in permission.get(key, []))
    yield from (each["PrefixListId"] for each in permission.get("PrefixListIds", []))


def permission(rule: str, own_id: str) -> dict[str, Any]:
    """The same as AWS is told it."""
    protocol, ports, source = rule.split()
    first, _, last = ports.partition(":")
    made: dict[str, Any] = {"IpProtocol": protocol}
    if first != "*":
        made |= {"FromPort": int(first), "ToPort": int(last)}
    if source == ITSELF or source.startswith("sg-"):
        group_id = own_id if source == ITSELF else source
        return made | {"UserIdGroupPairs": [{"GroupId": group_id}]}
    if source.startswith("pl-"):
        return made | {"PrefixListIds": [{"PrefixListId": source}]}
    if ":" in source:
        return made | {"Ipv6Ranges": [{"CidrIpv6": source}]}
    return made | {"IpRanges": [{"CidrIp": source}]}
