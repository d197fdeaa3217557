"""``manage.py find_orphans [ACCOUNT] [--json] [--adopt ID | --delete ID --yes | --forget ID]``"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import orphans, tasks
from sites.management.accounts import account_named
from sites.management.command import SiteCommand
from sites.management.following import follow
from sites.models import Account, Site
from sites.orphans import Gone, Orphans, Unknown
from sites.store import record_of


class Command(SiteCommand):
    help = (
        "List what is on AWS in our name and in no row, and rows whose thing is gone. Nothing is "
        "changed unless an act is asked for, by an id of the list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", nargs="?", help="its name (default: all, or the only one)")
        parser.add_argument("--json", action="store_true", help="the list as JSON")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--adopt", metavar="ID", help="write the row that its site has for it")
        act.add_argument(
            "--delete", metavar="ID", action="append", help="delete it on AWS; may be repeated"
        )
        act.add_argument("--forget", metavar="ID", help="remove the row of a thing that is gone")
        parser.add_argument("--yes", action="store_true", help="with --delete: really")
        parser.add_argument(
            "--name",
            action="append",
            default=[],
            help="with --delete: the name, for what keeps data or is of others; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["account"]
        accounts = [account_named(name)] if name else list(Account.objects.order_by("pk"))
        if not any(options[act] for act in ("adopt", "delete", "forget")):
            self._list(accounts, as_json=options["json"])
            return
        if len(accounts) != 1:
            raise CommandError("Say which account: `manage.py find_orphans ACCOUNT ...`")
        self._act(accounts[0], options)

    def _act(self, account: Account, options: dict[str, Any]) -> None:
        if thing := options["adopt"]:
            row = orphans.adopt(account, thing)
            self.stdout.write(f"Adopted: {row} is {row.logical_id} of {row.site or account}.")
        elif thing := options["forget"]:
            self.stdout.write(f"Forgot {', '.join(orphans.forget(account, thing))}.")
        elif not options["yes"]:
            raise CommandError(
                f"This deletes on AWS: {', '.join(options['delete'])}. If that is meant, add --yes."
            )
        else:
            operation = orphans.delete(account, options["delete"], options["name"])
            tasks.run_operation.delay(operation.pk)
            follow(operation, self.stdout.write)
            self.stdout.write("Done.", self.style.SUCCESS)

    def _list(self, accounts: Sequence[Account], *, as_json: bool) -> None:
        found = {account.name: orphans.of_account(account) for account in accounts}
        if as_json:
            objects = {name: each.as_json() for name, each in found.items()}
            self.stdout.write(json.dumps(objects, indent=2))
            return
        for name, each in found.items():
            self.stdout.write("\n".join(_report(name, each)))


def _report(account: str, found: Orphans) -> Iterator[str]:
    if not any((found.unknown, found.of_others, found.gone)):
        yield f"{account}: what is on AWS and what is written down are the same."
        return
    for title, orphans_ in (
        ("ours, and in no row", found.unknown),
        ("of another installation, or of a site that is gone", found.of_others),
    ):
        if orphans_:
            yield f"{account}: {len(orphans_)} on AWS, {title}:"
            yield from (f"? {_line(each)}" for each in orphans_)
    if found.gone:
        yield f"{account}: {len(found.gone)} written down, but gone from AWS:"
        yield from (f"! {_gone_line(each)}" for each in found.gone)


def _line(orphan: Unknown) -> str:
    found = orphan.found
    since = f", since {found.created:%Y-%m-%d %H:%M} UTC" if found.created else ""
    acts = " or ".join(f"--{act}" for act in orphan.can)
    name = f" --name {found.name}" if orphan.wants_its_name else ""
    return (
        f"{orphan.id}\n      {_owner(orphan)}, {found.region}{since}\n"
        f"      costs {orphan.cost.as_text()}\n      can: {acts}{name}"
    )


def _owner(orphan: Unknown) -> str:
    match orphan.owner:
        case Site(name=name):
            return f"site {name}"
        case Account(name=name):
            return f"account {name}"
    return f"uid {orphan.found.owner}"


def _gone_line(gone: Gone) -> str:
    row = gone.row
    label = record_of(row).resource.label
    return f"{gone.id}\n      {label}, {row.logical_id} of {row.site or row.account}; can: --forget"
