"""The dashboard in a browser: a plan that is shown and applied, drift that is found and restored,
and no page that scrolls sideways on a phone."""

from __future__ import annotations

import base64
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from cloudadmin.aws import Access, ClientError, Clients
from tests.e2e.conftest import Up, eventually
from tests.e2e.entrance import log_in

# As long as a domain can be: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
LONGEST = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 53}.example"
# Milliseconds. A plan and what stands for one wait for AWS, which a busy machine plays slowly.
PLAN_SECONDS = 30_000
CHANGE_SECONDS = 60_000


@pytest.fixture
def phone(up: Up, browser: Browser) -> Iterator[Page]:
    """Logged in, on a small dark screen; no error may be left on its console."""
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PLAN_SECONDS)
    log_in(up, page)
    yield page
    page.close()
    assert errors == []


def fits(page: Page) -> None:
    assert page.locator("html").evaluate("html => html.scrollWidth") <= 390, page.url


def follow(link: Locator) -> None:
    """To a page that fits; the one that is being left, and one half there, are not measured."""
    with link.page.expect_navigation():
        link.click()
    fits(link.page)


def open_site(up: Up, page: Page, name: str) -> None:
    page.goto(f"{up.run['dashboard']}sites/site/?q={name}")
    fits(page)
    follow(page.get_by_role("link", name=name, exact=True))


def test_a_plan_is_shown_and_applied_and_its_drift_restored(up: Up, phone: Page):
    up.manage("create_site", "paged", "--no-counter")
    open_site(up, phone, "paged")
    phone.get_by_role("link", name="Provision", exact=True).click()
    expect(phone.get_by_text(re.compile(r"Plan: \d+ to add"))).to_be_visible(timeout=PLAN_SECONDS)
    fits(phone)
    phone.get_by_role("button", name="Provision").click()
    expect(phone.locator(".summary .badge-live")).to_be_visible(timeout=CHANGE_SECONDS)
    expect(phone.locator("#site-panel[hx-get]")).to_have_count(0, timeout=CHANGE_SECONDS)

    on = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"]))
    ((bucket,),) = up.query(
        "SELECT r.physical_id FROM sites_resource r JOIN sites_site s ON s.id = r.site_id"
        " WHERE s.name = 'paged' AND r.type = 'bucket'"
    )
    on.s3.delete_public_access_block(Bucket=bucket)
    phone.get_by_role("link", name="Resources", exact=True).click()
    told = phone.get_by_text("The bucket can be opened to everybody.")

    def found() -> bool:
        """Asked again when beat is looking for drift at that very moment."""
        if not told.is_visible():
            phone.get_by_role("button", name=re.compile("Check now|Compare with AWS")).click()
        return told.is_visible()

    eventually(found, within=60)
    fits(phone)
    phone.get_by_role("link", name="Restore all").click()
    drift = phone.locator(".change .badge-drift")
    expect(drift).to_have_text("changed on AWS", timeout=PLAN_SECONDS)
    phone.get_by_role("button", name="Restore").click()
    expect(phone.locator(".summary .badge-drift")).to_have_count(0, timeout=CHANGE_SECONDS)
    eventually(lambda: is_blocked(on, bucket), within=60)


def is_blocked(on: Clients, bucket: str) -> bool:
    try:
        return bool(on.s3.get_public_access_block(Bucket=bucket))
    except ClientError:
        return False


def test_the_longest_names_fit_on_a_phone(up: Up, phone: Page):
    assert len(LONGEST) == 253
    up.manage("create_site", "longest", "--domain", LONGEST)
    open_site(up, phone, "longest")
    site = re.sub(r"change/.*", "", phone.url)
    for slug in ("provision", "destroy", "domains", "resources", "activity", "settings", "cost"):
        phone.goto(f"{site}{slug}/")
        expect(phone.locator(".coming")).to_have_count(0, timeout=PLAN_SECONDS)
        fits(phone)


def test_an_archive_is_deployed_from_the_page_of_its_site(
    up: Up, host: str, phone: Page, tmp_path: Path
):
    """Refused, then let through; published, and looked at on a page of its own."""
    ((number,),) = up.query(
        "SELECT coalesce(max(d.number), 0) FROM deployments_deployment d"
        " JOIN sites_site s ON s.id = d.site_id WHERE s.name = 'deploys'"
    )
    title = phone.locator("#deployment-title")
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("index.html", f"<title>Shop {number}</title>")
        files.writestr(".env.public", "COLOUR=red")
    open_site(up, phone, "deploys")
    phone.locator("#action-deploy").click()
    dialog = phone.locator("#deploy-dialog")
    dialog.get_by_role("button", name="Deploy").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose an archive")
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()
    drop(phone, archive)
    cookies = {each["name"]: each["value"] for each in phone.context.cookies()}
    phone.context.clear_cookies(name="sessionid")
    dialog.get_by_role("button", name="Deploy").click()
    expect(dialog.get_by_role("alert")).to_contain_text("You are logged out")
    # A login in another tab gives out another token, too.
    cookies["csrftoken"] = "n" * 32
    phone.context.add_cookies(
        [{"name": n, "value": v, "url": up.run["dashboard"]} for n, v in cookies.items()]
    )
    dialog.get_by_role("button", name="Deploy").click()
    expect(title).to_contain_text(f"#{number + 1}")
    # The site's page has such a link too, of any that failed before.
    again = phone.get_by_role("link", name="Deploy again, letting these through")
    expect(again).to_be_visible(timeout=CHANGE_SECONDS)
    follow(again)
    expect(phone.get_by_label("Paths to let through")).to_have_value(".env.public")
    phone.set_input_files("[name=file]", archive)
    phone.get_by_role("button", name="Deploy").click()
    expect(title).to_contain_text(f"#{number + 2}")
    expect(phone.get_by_role("log")).to_contain_text("Published", timeout=CHANGE_SECONDS)
    expect(phone.locator(".spans")).to_contain_text("Uploading")
    expect(phone.locator(".tree").first).to_contain_text("index.html")
    fits(phone)


def drop(page: Page, archive: Path) -> None:
    """Let a file go over the page, as a person does who dragged it there."""
    dropped = page.evaluate_handle(
        """([name, content]) => {
          const files = new DataTransfer();
          files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
          return files;
        }""",
        [archive.name, base64.b64encode(archive.read_bytes()).decode()],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#site-panel", event, {"dataTransfer": dropped})


def test_every_other_page_fits_on_a_phone(up: Up, phone: Page):
    for address in ("", "sites/operation/", "sites/account/", "sites/new/"):
        phone.goto(up.run["dashboard"] + address)
        fits(phone)
    phone.goto(f"{up.run['dashboard']}sites/operation/")
    follow(phone.locator("#result_list tbody a").first)
    phone.goto(f"{up.run['dashboard']}sites/account/")
    follow(phone.locator("#result_list tbody a").first)
    phone.get_by_role("link", name="What is on AWS that we do not know").click()
    expect(phone.locator(".coming")).to_have_count(0, timeout=PLAN_SECONDS)
    expect(phone.get_by_role("link", name="Look again")).to_be_visible()
    fits(phone)
