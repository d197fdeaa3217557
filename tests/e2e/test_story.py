"""A person's first day, in a browser: from the first login to a site that is gone again.

``STORY=folder`` keeps a picture of each step there.
"""

from __future__ import annotations

import base64
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.conftest import Up, eventually
from tests.e2e.entrance import SETUP, code_of

PERSON, PASSWORD = "first-day", "a long one that nobody guesses"
PERSON_IS_MADE = f"""
from django.contrib.auth.models import User
User.objects.create_superuser({PERSON!r}, password={PASSWORD!r})
"""
# Ten minutes later, as far as the proof of who they are goes.
PERSON_IS_BACK = f"""
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
pk = str(User.objects.get(username={PERSON!r}).pk)
for key in Session.objects.values_list("pk", flat=True):
    session = SessionStore(key)
    if session.get("_auth_user_id") == pk:
        for record in session["account_authentication_methods"]:
            record["at"] -= 600
        session.save()
"""
SITE = "first-day-site"
# Milliseconds: what waits for AWS, which a busy machine plays slowly.
AWS_SECONDS = 120_000
DROP = """([name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, {type: "application/zip"}));
    const what = {dataTransfer, bubbles: true, cancelable: true};
    for (const type of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(type, what));
}"""

Picture = Callable[[str], None]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Nothing may be left on its console, and no request may fail."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(60_000)
    wrong: list[str] = []

    def failed(request: Request) -> None:
        # Whoever follows a link leaves a page that still asks for a part of itself.
        if request.failure != "net::ERR_ABORTED":
            wrong.append(f"{request.url}: {request.failure}")

    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", failed)
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def picture(page: Page) -> Picture:
    folder = os.environ.get("STORY")
    taken = 0

    def take(name: str) -> None:
        nonlocal taken
        taken += 1
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{taken:02d}-{name}.png", full_page=True)

    return take


def archive(**pages: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for name, text in pages.items():
            written.writestr(f"{name}.html", f"<!doctype html><title>{name}</title><p>{text}")
    return packed.getvalue()


def test_the_first_day(up: Up, page: Page, picture: Picture):
    up.manage("shell", "--no-imports", "-c", PERSON_IS_MADE)
    secret = log_in_for_the_first_time(up, page, picture)
    launch(page, picture)
    deploy_by_drag_and_drop(up, page, picture)
    roll_back(up, page, picture)
    look_at_the_statistics(up, page, picture)
    up.manage("shell", "--no-imports", "-c", PERSON_IS_BACK)
    destroy(up, page, picture, secret)


def log_in_for_the_first_time(up: Up, page: Page, picture: Picture) -> str:
    """The key that is in their authenticator app from then on."""
    page.goto(up.run["dashboard"])
    picture("login")
    page.get_by_label("Username").fill(PERSON)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"**/{SETUP}**")
    picture("second-factor")
    secret = page.locator("#secret").inner_text()
    page.get_by_label("code").fill(code_of(secret))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    picture("recovery-codes")
    page.get_by_role("link", name="Go to the dashboard").click()
    expect(page.get_by_role("heading", name="Home").first).to_be_attached()
    picture("home")
    return secret


def launch(page: Page, picture: Picture) -> None:
    """Three screens, and the site is live."""
    page.get_by_role("link", name=re.compile("Sites$")).first.click()
    page.get_by_role("link", name="New site").click()
    page.get_by_label("Name", exact=True).fill(SITE)
    page.get_by_text("Sample site").click()
    page.get_by_label("Count visitors").check()
    expect(page.get_by_text("is free.")).to_be_visible()
    picture("new-site")
    page.get_by_role("button", name="Continue").click()
    create = page.get_by_role("button", name=f"Create {SITE}")
    expect(create).to_be_visible(timeout=AWS_SECONDS)
    expect(page.get_by_text("a month", exact=True).first).to_be_visible()
    picture("plan-and-cost")
    create.click()
    page.wait_for_url("**/progress/")
    picture("being-made")
    page.reload()
    expect(page.get_by_role("heading", name=f"{SITE} is live")).to_be_visible(timeout=AWS_SECONDS)
    picture("live")
    page.get_by_role("link", name="To the site").click()
    expect(page.locator("#site-title")).to_have_text(SITE)
    picture("site")


def deploy_by_drag_and_drop(up: Up, page: Page, picture: Picture) -> None:
    packed = base64.b64encode(archive(index="the second release", about="about it"))
    page.evaluate(DROP, ["site.zip", packed.decode()])
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    picture("dropped")
    dialog.get_by_label("Message").fill("The second release")
    dialog.get_by_role("button", name="Deploy").click()
    page.wait_for_url("**/deployments/deployment/**")
    picture("live-log")
    page.reload()
    log = page.get_by_role("log")
    expect(log).to_contain_text("Published", timeout=AWS_SECONDS)
    expect(page.locator("body")).to_contain_text("about.html")
    picture("deployed")
    with up.visitor(up.host(SITE)) as visitor:
        assert "the second release" in visitor.get("/").text


def roll_back(up: Up, page: Page, picture: Picture) -> None:
    page.get_by_role("link", name=SITE, exact=True).first.click()
    page.get_by_role("link", name="Roll back").first.click()
    expect(page.locator("body")).to_contain_text("deleted")
    picture("what-a-rollback-undoes")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("is served now")).to_be_visible(timeout=AWS_SECONDS)
    picture("rolled-back")
    with up.visitor(up.host(SITE)) as visitor:
        eventually(lambda: "the second release" not in visitor.get("/").text)


def look_at_the_statistics(up: Up, page: Page, picture: Picture) -> None:
    with up.visitor(up.host(SITE)) as visitor:
        counted = visitor.get("/_cloudadmin/count", headers={"User-Agent": "Mozilla/5.0 (X11)"})
        assert counted.json()["visits"] == 1
    up.manage("sync_visits", SITE)
    page.get_by_role("link", name="Visitors", exact=True).last.click()
    expect(page.locator("[data-line] canvas").first).to_be_visible()
    expect(page.get_by_role("heading", name="Pages")).to_be_visible()
    picture("statistics")


def destroy(up: Up, page: Page, picture: Picture, secret: str) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Destroy").click()
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    picture("asked-again")
    page.get_by_label("code").fill(code_of(secret))
    page.get_by_role("button", name="Go on").click()
    name = page.get_by_label("Type the site's name")
    expect(name).to_be_visible(timeout=AWS_SECONDS)
    name.fill("another")
    button = page.get_by_role("button", name="Destroy")
    button.click()
    expect(page.get_by_text("That is not the name")).to_be_visible(timeout=AWS_SECONDS)
    picture("not-that-name")
    name.fill(SITE)
    button.click()
    expect(page.get_by_text("is being destroyed")).to_be_visible()
    picture("being-destroyed")
    eventually(
        lambda: not up.query("SELECT 1 FROM sites_site WHERE name = %s", SITE),
        within=AWS_SECONDS / 1000,
    )
    page.goto(up.run["dashboard"] + "sites/site/")
    expect(page.get_by_role("link", name=SITE, exact=True)).to_have_count(0)
    picture("gone")
