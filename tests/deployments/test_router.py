"""The real router, minified as it is sent, in QuickJS, over a table of addresses."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deployments.edge.edge_index import Index, append, head
from localcloud.function_runtime import FunctionError, FunctionRuntime
from sites.provisioning.package import PackageError, script

SOURCES = Path(__file__).parents[2] / "lambda_src/router"
CODE = script(SOURCES / "router.js")

FILES = [
    "index.html",
    "404.html",
    "app.js",
    "about.html",
    "blog/index.html",
    "both.html",
    "both/index.html",
    "LICENSE",
    "LICENSE.html",
    "docs/v1.2/index.html",
    "v1.2.html",
    "a b.html",
    "plus+plus.txt",
    "100%.txt",
    "tilde~.txt",
    "what?.txt",
    "sharp#1.txt",
    "çédille/naïve ✓.html",
    "it's (here)!*.txt",
    "a&b=c;d,e$@:.txt",
    ".well-known/assetlinks.json",
    "deep/er/est/page.html",
]
HASHES = {path: str(number).rjust(22, "x") for number, path in enumerate(FILES)}


def store(flags="", **others):
    change = append(Index(), 12, HASHES)
    return {**change.puts, "h:example.com": head(12, change.index, flags), **others}


def with_fields(value, **fields):
    """A head with more in it; what is empty is left out."""
    return json.dumps(json.loads(value) | {k: v for k, v in fields.items() if v})


def request(uri, *, host="example.com", headers=None, cookies=None):
    """As CloudFront hands it over: the query is parsed and still encoded."""
    path, _, query = uri.partition("?")
    fields: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in fields:
            several = fields[name].setdefault("multiValue", [{"value": fields[name]["value"]}])
            several.append({"value": value})
        else:
            fields[name] = {"value": value}
    return {
        "method": "GET",
        "uri": path,
        "querystring": fields,
        "headers": {k: {"value": v} for k, v in {"host": host, **(headers or {})}.items()},
        "cookies": {name: {"value": value} for name, value in (cookies or {}).items()},
    }


class Stores(dict):
    """One runtime for all tests, as at the edge; each test has a store of its own."""

    now: Mapping[str, str] = {}

    def get(self, key, default=None):
        return self.now.get(key, default)


STORES = Stores()
RUNTIME = FunctionRuntime(CODE, STORES)


def answer(values, asked) -> dict[str, Any]:
    STORES.now = values
    return RUNTIME.run({"version": "1.0", "request": asked})


def ask(uri, *, flags="", host="example.com", accept=None, values=None):
    headers = {"accept": accept} if accept else {}
    return answer(values or store(flags), request(uri, host=host, headers=headers))


def objects(path, encoded=None):
    return f"/objects/{HASHES[path]}/{encoded or path}"


SERVED = [
    ("/", objects("index.html")),
    ("/index.html", objects("index.html")),
    ("/app.js", objects("app.js")),
    ("/about", objects("about.html")),
    ("/about.html", objects("about.html")),
    ("/blog/", objects("blog/index.html")),
    ("/blog/index.html", objects("blog/index.html")),
    ("/blog/index", objects("blog/index.html")),
    ("/both", objects("both.html")),
    ("/both/", objects("both/index.html")),
    ("/LICENSE", objects("LICENSE")),
    ("/LICENSE.html", objects("LICENSE.html")),
    ("/docs/v1.2/", objects("docs/v1.2/index.html")),
    ("/v1.2", objects("v1.2.html")),
    ("/404", objects("404.html")),
    ("/a%20b.html", objects("a b.html", "a%20b.html")),
    ("/a%20b", objects("a b.html", "a%20b.html")),
    ("/a b", objects("a b.html", "a%20b.html")),
    ("/plus+plus.txt", objects("plus+plus.txt", "plus%2Bplus.txt")),
    ("/plus%2Bplus.txt", objects("plus+plus.txt", "plus%2Bplus.txt")),
    ("/100%25.txt", objects("100%.txt", "100%25.txt")),
    ("/tilde~.txt", objects("tilde~.txt")),
    ("/tilde%7E.txt", objects("tilde~.txt")),
    ("/what%3F.txt", objects("what?.txt", "what%3F.txt")),
    ("/sharp%231.txt", objects("sharp#1.txt", "sharp%231.txt")),
    (
        "/%C3%A7%C3%A9dille/na%C3%AFve%20%E2%9C%93",
        objects("çédille/naïve ✓.html", "%C3%A7%C3%A9dille/na%C3%AFve%20%E2%9C%93.html"),
    ),
    (
        "/çédille/naïve ✓",
        objects("çédille/naïve ✓.html", "%C3%A7%C3%A9dille/na%C3%AFve%20%E2%9C%93.html"),
    ),
    ("/it's%20(here)!*.txt", objects("it's (here)!*.txt", "it's%20(here)!*.txt")),
    ("/a&b=c;d,e$@:.txt", objects("a&b=c;d,e$@:.txt", "a%26b%3Dc%3Bd%2Ce%24%40%3A.txt")),
    ("/.well-known/assetlinks.json", objects(".well-known/assetlinks.json")),
    ("/deep/er/est/page", objects("deep/er/est/page.html")),
]
MOVED = [
    ("/blog", "/blog/"),
    ("/docs/v1.2", "/docs/v1.2/"),
    ("/about/", "/about"),
    ("/a%20b/", "/a%20b"),
    ("/%C3%A7%C3%A9dille/na%C3%AFve%20%E2%9C%93/", "/%C3%A7%C3%A9dille/na%C3%AFve%20%E2%9C%93"),
]
MISSING = [
    "/nothing",
    "/nothing/",
    "/nothing.js",
    "/About",
    "//",
    "//example.org/",
    "/objects/" + HASHES["index.html"] + "/index.html",
    "/errors/404.html",
    "/missing/index.html",
    "/data/file.json",
    "/blog//index.html",
    "/./index.html",
    "/blog/../index.html",
    "/blog/%2e%2e/index.html",
    "/index.html/",
    "/index.html%00",
    "/" + "x" * 8000,
    "/__proto__",
]


@pytest.mark.parametrize(("uri", "expected"), SERVED)
@pytest.mark.parametrize("flags", ["", "s"])
def test_a_file_is_served_from_its_object(uri, expected, flags):
    assert ask(uri, flags=flags)["uri"] == expected


@pytest.mark.parametrize(("uri", "location"), MOVED)
def test_each_page_has_one_address(uri, location):
    response = ask(uri)
    assert response["statusCode"] == 301
    assert response["headers"]["location"]["value"] == location


@pytest.mark.parametrize("uri", MISSING)
def test_what_is_not_in_the_release_becomes_a_key_that_does_not_exist(uri):
    assert ask(uri)["uri"] == "/missing" + uri


@pytest.mark.parametrize("uri", ["/%", "/%zz", "/%ff", "/%c3%28", "/%ed%a0%80"])
def test_a_malformed_address_is_refused(uri):
    assert ask(uri)["statusCode"] == 400


def test_a_redirect_keeps_the_query_as_it_came():
    response = ask("/blog?q=a%20b+c&tag=1&tag=2&flag")
    assert response["headers"]["location"]["value"] == "/blog/?q=a%20b+c&tag=1&tag=2&flag"


@pytest.mark.parametrize(
    ("uri", "accept", "falls_back"),
    [
        ("/users/7", "text/html,application/xhtml+xml", True),
        ("/users/7/", "text/html", True),
        ("/users/7", None, True),
        ("/users/7", "*/*", True),
        ("/users/7", "application/json", False),
        ("/chunk.js", "*/*", False),
        ("/logo.png", "text/html", False),
    ],
)
def test_a_single_page_application_answers_pages_alone(uri, accept, falls_back):
    expected = objects("index.html") if falls_back else "/missing" + uri
    assert ask(uri, flags="s", accept=accept)["uri"] == expected


def test_a_host_without_a_head_says_so():
    response = ask("/", host="other.example.com")
    assert response["statusCode"] == 404
    assert "no deployment yet" in response["body"]["data"]


@pytest.mark.parametrize("host", ["EXAMPLE.com", "example.com:8443"])
def test_hosts_are_compared_without_case_and_port(host):
    assert ask("/", host=host)["uri"] == objects("index.html")


def test_a_host_may_point_to_another_one():
    response = ask(
        "/a%20b?x=1",
        host="www.example.com",
        values=store(**{"h:www.example.com": '{"to":"example.com"}'}),
    )
    assert response["statusCode"] == 301
    assert response["headers"]["location"]["value"] == "//example.com/a%20b?x=1"


def test_maintenance_answers_every_address():
    for uri in ("/", "/app.js", "/nothing"):
        response = ask(uri, flags="sm")
        assert response["statusCode"] == 503
        assert int(response["headers"]["retry-after"]["value"]) > 0


def test_a_store_that_fails_is_not_a_404():
    class Failing(dict):
        def get(self, key, default=None):
            self.asked = getattr(self, "asked", 0) + 1
            return None if self.asked == 2 else super().get(key, default)

    with pytest.raises(FunctionError, match="KeyNotFound"):
        ask("/", values=Failing(store()))


def test_a_site_in_maintenance_may_say_so_itself():
    change = append(Index(), 12, {"maintenance.html": "m" * 22})
    values = {**change.puts, "h:example.com": head(12, change.index, "m")}
    response = ask("/anything", values=values)
    assert response["uri"] == f"/objects/{'m' * 22}/maintenance.html"
    assert response["headers"]["x-cloudadmin-status"]["value"] == "503"


def test_robots_are_kept_out_of_a_preview():
    response = ask("/robots.txt", flags="x")
    assert (response["statusCode"], response["body"]["data"]) == (
        200,
        "User-agent: *\nDisallow: /\n",
    )
    assert ask("/robots.txt")["uri"] == "/missing/robots.txt"


@pytest.mark.parametrize("name", ["router.js", "headers.js"])
def test_the_code_fits_cloudfront(name):
    """Its size, and nothing that the runtime lacks: what fails there fails for every visitor."""
    code = script(SOURCES / name)
    assert len(code.encode()) <= 10 * 1024
    for word in ("fetch(", "setTimeout", "eval(", "new Function", "?.", "??", "...", " of "):
        assert word not in code
    assert not re.search(r"(const|let) *[\[{]|async *\(|\(await|, *await|`", code)


def test_code_that_is_too_large_is_refused(tmp_path):
    large = tmp_path / "large.js"
    large.write_text("x=" + "1+" * 6_000 + "1;")
    with pytest.raises(PackageError, match=r"12,0\d\d bytes, .* may have 10,240"):
        script(large)
