"""Where AWS's own console shows a resource."""

from __future__ import annotations

from urllib.parse import quote

from sites.models import Resource

REGIONAL = "https://{region}.console.aws.amazon.com"
# CloudFront, IAM, Route 53 and CloudFront's certificates have one region.
GLOBAL = "https://us-east-1.console.aws.amazon.com"
CLOUDFRONT = GLOBAL + "/cloudfront/v4/home#"
PAGES = {
    "alias_record": GLOBAL + "/route53/v2/hostedzones#ListRecordSets/{first}",
    "bucket": REGIONAL + "/s3/buckets/{id}?region={region}",
    "bucket_policy": REGIONAL + "/s3/buckets/{id}?region={region}&tab=permissions",
    "cache_policy": CLOUDFRONT + "/policies/cache/{id}",
    "certificate": GLOBAL + "/acm/home?region=us-east-1#/certificates/{last}",
    "db_instance": REGIONAL + "/rds/home?region={region}#database:id={id};is-cluster=false",
    "distribution": CLOUDFRONT + "/distributions/{id}",
    "function": CLOUDFRONT + "/functions/{id}",
    "function_permission": REGIONAL
    + "/lambda/home?region={region}#/functions/{first}?tab=configure",
    "key_value_store": CLOUDFRONT + "/functions",
    "lambda_function": REGIONAL + "/lambda/home?region={region}#/functions/{id}",
    "log_group": REGIONAL + "/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}",
    "origin_access_control": CLOUDFRONT + "/originAccess",
    "origin_request_policy": CLOUDFRONT + "/policies/origin/{id}",
    "response_headers_policy": CLOUDFRONT + "/policies/responseHeaders/{id}",
    "role": GLOBAL + "/iam/home#/roles/details/{id}",
    "security_group": REGIONAL + "/ec2/home?region={region}#SecurityGroup:groupId={id}",
    "validation_record": GLOBAL + "/route53/v2/hostedzones#ListRecordSets/{first}",
}


def console_url(row: Resource, region: str) -> str:
    """Its page, in the region that it is in; "" for what has none, or does not exist yet."""
    page = PAGES.get(row.type, "")
    if not page or not row.physical_id:
        return ""
    return page.format(
        region=quote(region, safe=""),
        id=quote(row.physical_id, safe=""),
        first=quote(row.physical_id.partition("/")[0], safe=""),
        last=quote(row.physical_id.rpartition("/")[2], safe=""),
        # Encoded twice, and with a dollar sign for the percent sign.
        group=quote(quote(row.physical_id, safe=""), safe="").replace("%", "$"),
    )
