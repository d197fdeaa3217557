"""The way into a running instance, once: then its session is used again."""

from __future__ import annotations

import json
import re
import time

import httpx
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Page

from tests.e2e.conftest import Up

SETUP = "second-factor/totp/activate/"


def log_in(up: Up, page: Page) -> None:
    """By name, password and, the first time, a second factor that is set up with its page's key."""
    home = up.run["dashboard"]
    if kept := _kept(up):
        page.context.add_cookies(
            [{"name": name, "value": value, "url": home} for name, value in kept.items()]
        )
        page.goto(home)
        return
    page.goto(home)
    page.get_by_label("Username").fill(up.run["admin_user"])
    page.get_by_label("Password").fill(up.run["admin_password"])
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"**/{SETUP}**")
    page.get_by_label("code").fill(code_of(page.locator("#secret").inner_text()))
    page.get_by_role("button", name="Switch it on").click()
    page.wait_for_url("**/recovery-codes/")
    _keep(up, {each["name"]: each["value"] for each in page.context.cookies()})
    page.goto(home)


def log_in_without_browser(up: Up, client: httpx.Client) -> None:
    """``client`` is at the dashboard and follows redirects."""
    if kept := _kept(up):
        for each, value in kept.items():
            client.cookies.set(each, value, domain=client.base_url.host)
        return
    name, password = up.run["admin_user"], up.run["admin_password"]
    page = post(client, "/login/", login=name, password=password)
    (secret,) = re.findall(r'id="secret">(\w+)<', page.text)
    post(client, f"/{SETUP}", code=code_of(secret), fetch=False)
    _keep(up, dict(client.cookies))


def post(client: httpx.Client, path: str, *, fetch: bool = True, **fields: str) -> httpx.Response:
    """As a form of that page does; without ``fetch`` the page was the last that was fetched."""
    url = client.get(path).url if fetch else client.base_url.join(path)
    token = client.cookies["csrftoken"]
    return client.post(
        url, data={"csrfmiddlewaretoken": token, **fields}, headers={"Referer": str(url)}
    )


def code_of(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def _kept(up: Up) -> dict[str, str]:
    path = up.data_dir / "session.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _keep(up: Up, cookies: dict[str, str]) -> None:
    (up.data_dir / "session.json").write_text(json.dumps(cookies))
