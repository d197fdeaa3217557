"""What visitors get from a private bucket through its distribution."""

from __future__ import annotations

import gzip

import httpx
import pytest

from tests.localcloud.conftest import CACHING_DISABLED


def test_a_private_bucket_serves_only_through_its_distribution(website):
    website.create()
    website.put("index.html", b"hello")

    assert website.get("/index.html").text == "hello"
    website.cloud.clients.s3.delete_bucket_policy(Bucket=website.bucket)
    website.invalidate("/*")
    refused = website.get("/index.html")
    assert refused.status_code == 403
    assert "AccessDenied" in refused.text


def test_one_distribution_cannot_read_for_another(website):
    website.create()
    website.put("index.html", b"hello")
    website.arn = "arn:aws:cloudfront::000000000000:distribution/EOTHER"
    website.allow(may_list=True)
    assert website.get("/index.html").status_code == 403


def test_a_missing_key_is_403_without_permission_to_list(website):
    website.create(may_list=False)
    assert website.get("/missing").status_code == 403
    website.allow(may_list=True)
    assert website.get("/missing").status_code == 404


@pytest.mark.parametrize("form", ["label", "name", "alias-less host with port"])
def test_hosts_that_browsers_resolve(website, form):
    website.create(DefaultRootObject="index.html")
    website.put("index.html", b"hello")
    host = {
        "label": f"{website.host.partition('.')[0]}.localhost:8081",
        "name": f"{website.name}.localhost",
        "alias-less host with port": f"{website.host}:80",
    }[form]
    assert website.cloud.get(host).text == "hello"


def test_an_unknown_host_is_told_what_exists(website):
    website.create()
    page = website.cloud.get("nobody.example")
    assert page.status_code == 403
    assert "local cloud" in page.text
    assert f"{website.name}.localhost" in page.text


def test_a_disabled_distribution_serves_nothing(website):
    website.create()
    website.put("index.html", b"hello")
    website.update(Enabled=False)
    assert website.get("/index.html").status_code == 403


def test_methods_that_are_not_allowed(website):
    website.create()
    assert website.get("/", method="POST").status_code == 403


def test_the_error_page_takes_the_place_of_the_error(website):
    website.create(
        CustomErrorResponses={
            "Quantity": 1,
            "Items": [
                {
                    "ErrorCode": 404,
                    "ResponsePagePath": "/404.html",
                    "ResponseCode": "404",
                    "ErrorCachingMinTTL": 0,
                }
            ],
        }
    )
    website.put("404.html", b"nothing here")
    missing = website.get("/missing")
    assert (missing.status_code, missing.text) == (404, "nothing here")
    assert missing.headers["x-cache"] == "Error from cloudfront"
    website.put("missing", b"now it is")
    assert website.get("/missing").text == "now it is"


def test_hit_then_invalidation(website):
    website.create()
    website.put("a/page.html", b"one")
    assert website.get("/a/page.html").headers["x-cache"] == "Miss from cloudfront"
    website.put("a/page.html", b"two")
    hit = website.get("/a/page.html?query=is-not-in-the-key")
    assert hit.text == "one"
    assert hit.headers["x-cache"] == "Hit from cloudfront"
    assert int(hit.headers["age"]) >= 0

    website.invalidate("/other/*")
    assert website.get("/a/page.html").text == "one"
    website.invalidate("/a/*")
    assert website.get("/a/page.html").text == "two"


@pytest.mark.parametrize("cache_control", ["no-store", "private", "no-cache", "max-age=0"])
def test_what_may_not_be_cached_is_asked_again(website, cache_control):
    website.create()
    # CachingOptimized keeps everything for at least a second.
    website.update(DefaultCacheBehavior=website.behavior(CachePolicyId=CACHING_DISABLED))
    website.put("page", b"one", CacheControl=cache_control)
    assert website.get("/page").text == "one"
    website.put("page", b"two", CacheControl=cache_control)
    assert website.get("/page").text == "two"


@pytest.mark.parametrize(("seconds", "is_kept"), [(None, True), (0, False)])
def test_errors_are_kept_where_nothing_else_is(website, seconds, is_kept):
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html"""
    website.create()
    error = {
        "ErrorCode": 404,
        "ResponsePagePath": "",
        "ResponseCode": "",
        "ErrorCachingMinTTL": seconds,
    }
    website.update(
        DefaultCacheBehavior=website.behavior(CachePolicyId=CACHING_DISABLED),
        **({} if seconds is None else {"CustomErrorResponses": {"Quantity": 1, "Items": [error]}}),
    )
    assert website.get("/late?a=1").status_code == 404
    website.put("late", b"here")
    then = website.get("/late?b=2")
    assert then.status_code == (404 if is_kept else 200)
    assert then.headers["x-cache"] == ("Error" if is_kept else "Miss") + " from cloudfront"


def test_head_range_and_conditions(website):
    website.create()
    website.put("digits", b"0123456789")
    whole = website.get("/digits")

    head = website.get("/digits", method="HEAD")
    assert (head.content, head.headers["content-length"]) == (b"", "10")
    part = website.get("/digits", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.text) == (206, "234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert website.get("/digits", headers={"Range": "bytes=-3"}).text == "789"
    beyond = website.get("/digits", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    same = website.get("/digits", headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    since = {"If-Modified-Since": whole.headers["last-modified"]}
    assert website.get("/digits", headers=since).status_code == 304


def test_text_is_compressed_for_those_who_accept_it(website):
    website.create(DefaultCacheBehavior=website.behavior(Compress=True))
    body = b"lorem ipsum " * 1000
    website.put("page.html", body)
    with httpx.stream(
        "GET",
        f"{website.cloud.edge_url}/page.html",
        headers={"Host": website.host, "Accept-Encoding": "gzip, br"},
    ) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(packed.iter_raw())) == body
    plain = website.get("/page.html", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == body


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("with space", "/with%20space"),
        ("tilde~", "/tilde~"),
        ("plus+", "/plus%2B"),
        ("a space", "/a+space"),
        ("ünïcode/日本", "/%C3%BCn%C3%AFcode/%E6%97%A5%E6%9C%AC"),
        ("100%", "/100%25"),
        ("quote'(1)!", "/quote'(1)!"),
    ],
)
def test_keys_and_their_paths(website, key, path):
    website.create()
    website.put(key, key.encode())
    assert website.get(path).text == key


def test_the_first_behavior_that_matches_wins(website):
    website.create(
        CacheBehaviors={
            "Quantity": 1,
            "Items": [website.behavior(PathPattern="data/*", TargetOriginId="data")],
        },
        Origins={
            "Quantity": 2,
            "Items": [website.origin(), website.origin(Id="data", OriginPath="/kept")],
        },
    )
    website.put("kept/data/x", b"from the data origin")
    website.put("DATA/x", b"patterns are case-sensitive")
    assert website.get("/data/x").text == "from the data origin"
    assert website.get("/DATA/x").text == "patterns are case-sensitive"


def test_security_headers(website):
    website.create(
        DefaultCacheBehavior=website.behavior(
            ResponseHeadersPolicyId="67f7725c-6f97-4210-82d7-5512b31e9d03"
        )
    )
    website.put("page", b"x")
    headers = website.get("/page").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=31536000")


def test_a_custom_response_headers_policy(website):
    policy = website.cloud.clients.cloudfront.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": website.name,
            "CustomHeadersConfig": {
                "Quantity": 1,
                "Items": [{"Header": "X-Hello", "Value": "there", "Override": True}],
            },
            "RemoveHeadersConfig": {"Quantity": 1, "Items": [{"Header": "x-amz-meta-secret"}]},
        }
    )["ResponseHeadersPolicy"]["Id"]
    website.create(DefaultCacheBehavior=website.behavior(ResponseHeadersPolicyId=policy))
    website.put("page", b"x", Metadata={"secret": "s", "open": "o"})
    headers = website.get("/page").headers
    assert headers["x-hello"] == "there"
    assert headers["x-amz-meta-open"] == "o"
    assert "x-amz-meta-secret" not in headers
