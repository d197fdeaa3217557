"""``manage.py change_site NAME``: other settings, other domains, while the site goes on serving."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from sites import drift, provisioning, tasks
from sites.management import site_options
from sites.management.command import SiteCommand
from sites.management.following import follow
from sites.management.patience import when_free
from sites.models import Operation, Site
from sites.signals import site_provisioned

LISTS = {
    "add_domain": "a domain of the site, from now on",
    "remove_domain": "no domain of the site any more",
    "redirect": "a domain that redirects to the first one",
    "no_redirect": "a domain that serves by itself again",
}


class Command(SiteCommand):
    help = "Change a site in place. What it serves stays as it is until the change is ready."
    _told = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        for option, text in LISTS.items():
            parser.add_argument(
                f"--{option.replace('_', '-')}",
                action="append",
                default=[],
                metavar="DOMAIN",
                help=f"{text}; may be repeated",
            )
        site_options.add_settings(parser)
        parser.add_argument("--plan", action="store_true", help="show the changes, make none")
        parser.add_argument("--wait", action="store_true", help="until the change is made")

    def handle(self, *args: Any, **options: Any) -> None:
        name = self.site(options["name"]).name
        operation = when_free(partial(self._change, name, options))
        if operation is None:
            return
        tasks.run_operation.delay(operation.pk)
        if options["wait"]:
            follow(operation, self.stdout.write)
        if operation.status == Operation.Status.SUCCESS:
            self.stdout.write(f"{name} is changed.", self.style.SUCCESS)
        else:
            self.stdout.write(
                f"{name} serves what it did until the change is ready; see `manage.py site_status "
                f"{name}`."
            )

    @transaction.atomic
    def _change(self, name: str, options: dict[str, Any]) -> Operation | None:
        """All of it or nothing: the rows, and the operation that carries them out."""
        sites = Site.objects.select_for_update(of=("self",), no_key=True)
        site = sites.select_related("account").get(name=name)
        if site.state == Site.State.DESTROYING:
            raise CommandError(f"{name} is being destroyed.")
        changed = _write(site, options)
        if not changed:
            self.stdout.write(f"{name} is like that already.")
            return None
        if "injects_snippet" in changed:
            self.stdout.write(_at_the_next_deploy(site))
            if changed == ["injects_snippet"]:
                transaction.set_rollback(bool(options["plan"]))
                return None
        is_draft = site.state == Site.State.DRAFT
        if is_draft and not options["plan"]:
            self.stdout.write(f"Changed {name}, which is a draft: nothing is on AWS yet.")
            return None
        plan = drift.restore_plan(site, only=())
        self._tell_once(plan.as_text())
        for domain in _led_by_others(site, options["remove_domain"]):
            self.stdout.write(
                f"The record of {domain} is not in Route 53: take it away at its DNS first, or "
                "its visitors meet CloudFront's 403."
            )
        if options["plan"]:
            transaction.set_rollback(True)
            return None
        plan.raise_if_unsafe()
        _refuse_unknown_drift(site, plan)
        # The addresses first: a new domain has its head before the edge answers for it.
        site_provisioned.send(sender=Site, site=site)
        if not plan.effective:
            self.stdout.write(f"{name} is changed at the edge alone: live in seconds.")
            return None
        return drift.restore(site, plan.checksum, only=())

    def _tell_once(self, text: str) -> None:
        """The same plan may be made again, once a worker is done with the site."""
        if text != self._told:
            self.stdout.write(text)
            self._told = text


def _write(site: Site, options: dict[str, Any]) -> list[str]:
    """The fields and the domains that are others now. Raises CommandError."""
    changed = site_options.set_fields(site, options)
    site_options.save_or_explain(site)
    removed = [site_options.domain_of(site, name) for name in options["remove_domain"]]
    for domain in removed:
        domain.delete()
    site_options.add_domains(site, options["add_domain"])
    changed += site_options.set_redirects(site, options["redirect"], redirects=True)
    changed += site_options.set_redirects(site, options["no_redirect"], redirects=False)
    site_options.refuse_redirects_to_nowhere(site)
    return [*changed, *(domain.name for domain in removed), *options["add_domain"]]


def _at_the_next_deploy(site: Site) -> str:
    if not site.injects_snippet:
        return "The next deploy leaves the pages as they are: without the counter's snippet."
    if not site.has_counter:
        return "The site has no counter: its pages get the snippet once it has, with a deploy."
    return "The next deploy puts the counter's snippet into the pages."


def _refuse_unknown_drift(site: Site, plan: provisioning.Plan) -> None:
    """Known drift is left as it is, but for what the change sets anew. What nobody was told of yet,
    and what is gone, is put right only by who asks for that."""
    known = {found.key for found in drift.of_site(site) if not found.drift.is_gone}
    unasked = [
        change.label
        for change in plan.effective
        if not known.issuperset((change.logical_id, path) for path in change.drifted)
    ]
    if unasked:
        raise CommandError(
            f"Something else changed on AWS ({', '.join(unasked)}), and nothing was changed here. "
            f"`manage.py check_drift {site.name}` tells what it is, and with --restore puts it "
            "right."
        )


def _led_by_others(site: Site, names: list[str]) -> list[str]:
    """Domains whose records we did not make."""
    ours = site.resources.filter(type="alias_record").exclude(physical_id="")
    made = {row.inputs["domain_name"] for row in ours}
    return [name for name in map(site_options.canonical, names) if name not in made]
