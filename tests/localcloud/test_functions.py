"""CloudFront Functions and Lambda function URLs behind the edge."""

from __future__ import annotations

import io
import zipfile

import httpx
import pytest

from tests.localcloud.conftest import CACHING_DISABLED, eventually
from tests.localcloud.world import World

ROUTER = """
import cf from 'cloudfront';
const store = cf.kvs();
async function handler(event) {
  const request = event.request;
  if (request.uri === '/boom') throw new Error('boom');
  if (request.uri === '/old') {
    return { statusCode: 301, statusDescription: 'Moved Permanently',
             headers: { location: { value: '/new' } } };
  }
  if (request.uri === '/seen') {
    return { statusCode: 200, body: JSON.stringify({
      ip: event.viewer.ip, host: request.headers.host.value, query: request.querystring }) };
  }
  const release = await store.get('release');
  request.uri = '/' + release + request.uri;
  return request;
}
"""

ECHO = """
import json
from importlib.util import find_spec
def handler(event, context):
    found = [name for name in ("unfold", "ministack", "localcloud") if find_spec(name)]
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": json.dumps({"headers": event["headers"], "path": event["rawPath"],
                                "query": event["rawQueryString"], "packages": found})}
"""


def etag(clients, arn):
    return clients.keyvaluestore.describe_key_value_store(KvsARN=arn)["ETag"]


def publish(website, values: dict[str, str]):
    """A store with the values and a live router that reads it; the store's ARN."""
    clients = website.cloud.clients
    store = clients.cloudfront.create_key_value_store(Name=website.name)["KeyValueStore"]["ARN"]
    write(website, store, values)
    config = {
        "Comment": "",
        "Runtime": "cloudfront-js-2.0",
        "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": store}]},
    }
    made = clients.cloudfront.create_function(
        Name=website.name, FunctionConfig=config, FunctionCode=ROUTER.encode()
    )
    clients.cloudfront.publish_function(Name=website.name, IfMatch=made["ETag"])
    return store


def write(website, store: str, values: dict[str, str]) -> None:
    client = website.cloud.clients.keyvaluestore
    client.update_keys(
        KvsARN=store,
        IfMatch=etag(website.cloud.clients, store),
        Puts=[{"Key": key, "Value": value} for key, value in values.items()],
    )


def with_router(website):
    return website.behavior(
        FunctionAssociations={
            "Quantity": 1,
            "Items": [
                {
                    "EventType": "viewer-request",
                    "FunctionARN": "arn:aws:cloudfront::000000000000:function/" + website.name,
                }
            ],
        }
    )


@pytest.fixture
def routed(website):
    website.store = publish(website, {"release": "v1"})
    website.create(
        DefaultCacheBehavior=with_router(website),
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
        },
    )
    return website


def test_one_key_moves_the_whole_site(routed):
    routed.put("v1/index.html", b"one")
    routed.put("v2/index.html", b"two")
    assert routed.get("/index.html").text == "one"
    write(routed, routed.store, {"release": "v2"})
    assert routed.get("/index.html").text == "two"
    write(routed, routed.store, {"release": "v1"})
    back = routed.get("/index.html")
    assert back.text == "one"
    assert back.headers["x-cache"] == "Hit from cloudfront"


def test_invalidation_names_the_viewers_path_or_the_rewritten_one(routed):
    routed.put("v1/page", b"one")
    for path in ("/page", "/v1/page", "/v1/*"):
        assert routed.get("/page").text
        assert routed.get("/page").headers["x-cache"] == "Hit from cloudfront"
        routed.invalidate(path)
        assert routed.get("/page").headers["x-cache"] == "Miss from cloudfront"


def test_the_error_page_is_fetched_without_the_function(routed):
    routed.put("404.html", b"nothing here")
    assert routed.get("/missing").text == "nothing here"


def test_a_function_may_answer_by_itself(routed):
    moved = routed.get("/old")
    assert (moved.status_code, moved.headers["location"]) == (301, "/new")
    assert moved.headers["x-cache"] == "FunctionGeneratedResponse from cloudfront"


def test_what_a_function_sees(routed):
    seen = routed.get(
        "/seen?a=1&a=2", headers={"X-Localcloud-Viewer-Address": "10.0.0.1, 203.0.113.9"}
    ).json()
    assert seen["ip"] == "203.0.113.9"
    assert seen["host"] == routed.host
    assert [each["value"] for each in seen["query"]["a"]["multiValue"]] == ["1", "2"]


def test_by_the_sites_name_the_function_sees_the_distributions_host(routed):
    seen = routed.cloud.get(f"{routed.name}.localhost:8081", "/seen").json()
    assert seen["host"] == routed.host


def test_a_function_that_throws_is_a_503(routed):
    broken = routed.get("/boom")
    assert broken.status_code == 503
    assert broken.headers["x-cache"] == "FunctionExecutionError from cloudfront"


@pytest.fixture
def function_url(website):
    """A Lambda function that tells what it was sent; its URL's host."""
    clients = website.cloud.clients
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("echo.py", ECHO)
    clients.lambda_.create_function(
        FunctionName=website.name,
        Runtime="python3.11",
        Handler="echo.handler",
        Role=World(website.cloud.aws_endpoint).role,
        Code={"ZipFile": packed.getvalue()},
    )
    url = clients.lambda_.create_function_url_config(FunctionName=website.name, AuthType="AWS_IAM")[
        "FunctionUrl"
    ]
    return httpx.URL(url).host


def permit(website) -> None:
    for number, (action, more) in enumerate(
        [
            ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "AWS_IAM"}),
            ("lambda:InvokeFunction", {}),
        ]
    ):
        website.cloud.clients.lambda_.add_permission(
            FunctionName=website.name,
            StatementId=f"cloudfront-{number}",
            Action=action,
            Principal="cloudfront.amazonaws.com",
            SourceArn=website.arn,
            **more,
        )


def counter_origin(website, function_url):
    return {
        "Id": "counter",
        "DomainName": function_url,
        "OriginAccessControlId": website.access_control("lambda"),
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
        },
    }


def test_a_cache_policy_tells_the_origin_what_is_in_its_key(website, function_url):
    none = {
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
    }
    label = {
        "QueryStringBehavior": "whitelist",
        "QueryStrings": {"Quantity": 1, "Items": ["label"]},
    }
    policy = website.cloud.clients.cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": website.name,
            "MinTTL": 1,
            "DefaultTTL": 60,
            "MaxTTL": 60,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "EnableAcceptEncodingBrotli": True,
                "QueryStringsConfig": label,
                **none,
            },
        }
    )["CachePolicy"]["Id"]
    website.create(
        Origins={
            "Quantity": 2,
            "Items": [website.origin(), counter_origin(website, function_url)],
        },
        CacheBehaviors={
            "Quantity": 1,
            "Items": [website.behavior("counter", PathPattern="/badge", CachePolicyId=policy)],
        },
    )
    permit(website)
    eventually(lambda: website.get("/badge?label=ready"))
    first = website.get("/badge?label=a&other=1")
    again = website.get("/badge?other=2&label=a")
    other = website.get("/badge?label=b")
    assert [each.json()["query"] for each in (first, again, other)] == [
        *("label=a", "label=a", "label=b")
    ]
    assert [each.headers["x-cache"].partition(" ")[0] for each in (first, again, other)] == [
        *("Miss", "Hit", "Miss")
    ]


def test_a_function_url_behind_the_edge(website, function_url):
    policy = website.cloud.clients.cloudfront.create_origin_request_policy(
        OriginRequestPolicyConfig={
            "Name": website.name,
            "HeadersConfig": {
                "HeaderBehavior": "whitelist",
                "Headers": {
                    "Quantity": 2,
                    "Items": ["CloudFront-Viewer-Address", "CloudFront-Is-Mobile-Viewer"],
                },
            },
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        }
    )["OriginRequestPolicy"]["Id"]
    origin = counter_origin(website, function_url) | {
        "CustomHeaders": {
            "Quantity": 1,
            "Items": [{"HeaderName": "X-Site", "HeaderValue": website.name}],
        },
    }
    website.create(
        Origins={"Quantity": 2, "Items": [website.origin(), origin]},
        CacheBehaviors={
            "Quantity": 1,
            "Items": [
                website.behavior(
                    "counter",
                    PathPattern="/count",
                    CachePolicyId=CACHING_DISABLED,
                    OriginRequestPolicyId=policy,
                )
            ],
        },
    )
    assert website.get("/count").status_code == 403
    permit(website)
    headers = {
        "X-Localcloud-Viewer-Address": "203.0.113.9",
        "User-Agent": "Mobile Safari",
        "Cookie": "a=b",
    }
    echo = eventually(lambda: website.get("/count?page=%2F", headers=headers)).json()
    assert echo["headers"]["cloudfront-viewer-address"].startswith("203.0.113.9:")
    assert echo["headers"]["cloudfront-is-mobile-viewer"] == "true"
    assert echo["headers"]["x-site"] == website.name
    assert echo["headers"]["user-agent"] == "Amazon CloudFront"
    assert "cookie" not in echo["headers"]
    assert (echo["path"], echo["query"]) == ("/count", "page=%2F")
    assert echo["packages"] == [], "a function has its own zip alone"
