"""Storage, delivery and domains."""

from __future__ import annotations

from sites.provisioning.lessons.lesson import Call, Lesson

LESSONS: dict[str, Lesson] = {
    "bucket": Lesson(
        "Private storage",
        "Your files are kept here, closed to everybody but your own CDN.",
        (
            Call("s3", "CreateBucket", "makes an empty bucket.", "--bucket NAME"),
            Call(
                "s3",
                "PutPublicAccessBlock",
                "closes it to the public, whatever a policy may say later.",
                "--bucket NAME --public-access-block-configuration BlockPublicAcls=true,"
                "IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
            ),
            Call(
                "s3",
                "PutBucketOwnershipControls",
                "makes all in it yours, without access lists.",
                "--bucket NAME --ownership-controls Rules=[{ObjectOwnership=BucketOwnerEnforced}]",
            ),
            Call(
                "s3",
                "PutBucketEncryption",
                "has it encrypted at rest.",
                "--bucket NAME --server-side-encryption-configuration file://encryption.json",
            ),
            Call(
                "s3",
                "PutBucketLifecycleConfiguration",
                "clears away uploads that were broken off.",
                "--bucket NAME --lifecycle-configuration file://lifecycle.json",
            ),
            Call(
                "s3",
                "PutBucketTagging",
                "says whose it is.",
                "--bucket NAME --tagging file://tags.json",
            ),
        ),
    ),
    "bucket_policy": Lesson(
        "Permission to read the files",
        "Only your distribution may read the bucket, and only over TLS.",
        (
            Call(
                "s3",
                "PutBucketPolicy",
                "writes down who may read.",
                "--bucket NAME --policy file://policy.json",
            ),
        ),
    ),
    "key_value_store": Lesson(
        "Index of the files",
        "It tells every edge which version of each file is the current one, so that a release or a "
        "rollback is one small write.",
        (Call("cloudfront", "CreateKeyValueStore", "makes an empty store.", "--name NAME"),),
    ),
    "function": Lesson(
        "Code at the edge",
        "A small script that looks each address up in the index, and one that writes the headers.",
        (
            Call(
                "cloudfront",
                "CreateFunction",
                "uploads the script and connects it to the index.",
                "--name NAME --function-config file://config.json --function-code "
                "fileb://router.js",
            ),
            Call(
                "cloudfront",
                "PublishFunction",
                "makes that version the live one.",
                "--name NAME --if-match ETAG",
            ),
        ),
    ),
    "distribution": Lesson(
        "Worldwide delivery (CDN)",
        "CloudFront answers your visitors from a place near them, over HTTPS, at an address of its "
        "own from the first minute.",
        (
            Call(
                "cloudfront",
                "CreateDistributionWithTags",
                "makes the distribution; AWS then tells every edge location, which takes minutes.",
                "--distribution-config-with-tags file://distribution.json",
            ),
        ),
    ),
    "origin_access_control": Lesson(
        "Key to the storage",
        "It lets CloudFront sign what it asks of your bucket or function, so that both can stay "
        "private.",
        (
            Call(
                "cloudfront",
                "CreateOriginAccessControl",
                "makes the signing rule.",
                "--origin-access-control-config Name=NAME,SigningProtocol=sigv4,"
                "SigningBehavior=always,OriginAccessControlOriginType=s3",
            ),
        ),
    ),
    "origin_request_policy": Lesson(
        "What is passed on",
        "It names what your own code is told about a request, and leaves out the rest.",
        (
            Call(
                "cloudfront",
                "CreateOriginRequestPolicy",
                "names the headers that are passed on.",
                "--origin-request-policy-config file://policy.json",
            ),
        ),
    ),
    "response_headers_policy": Lesson(
        "Security headers",
        "Every answer tells browsers to insist on HTTPS and to guess nothing.",
        (
            Call(
                "cloudfront",
                "CreateResponseHeadersPolicy",
                "writes the headers down once.",
                "--response-headers-policy-config file://headers.json",
            ),
        ),
    ),
    "cache_policy": Lesson(
        "How long numbers are kept",
        "The badge of the visitor counter is kept for some seconds, so that a busy page costs "
        "nothing.",
        (
            Call(
                "cloudfront",
                "CreateCachePolicy",
                "sets what is kept, and for how long.",
                "--cache-policy-config file://policy.json",
            ),
        ),
    ),
    "certificate": Lesson(
        "Certificate for your domain",
        "It lets browsers trust your domain. Amazon issues it once your DNS shows that the domain "
        "is yours, and renews it by itself.",
        (
            Call(
                "acm",
                "RequestCertificate",
                "asks for it and names the DNS record that proves the domain.",
                "--domain-name NAME --validation-method DNS --region us-east-1",
            ),
        ),
    ),
    "validation_record": Lesson(
        "Proof that the domain is yours",
        "A DNS record that Amazon looks for before it issues the certificate, and at each renewal.",
        (
            Call(
                "route53",
                "ChangeResourceRecordSets",
                "adds the record to your hosted zone.",
                "--hosted-zone-id ZONE --change-batch file://record.json",
            ),
        ),
    ),
    "alias_record": Lesson(
        "Your domain's way here",
        "The DNS record that leads visitors of your domain to the distribution.",
        (
            Call(
                "route53",
                "ChangeResourceRecordSets",
                "adds the record to your hosted zone.",
                "--hosted-zone-id ZONE --change-batch file://record.json",
            ),
        ),
    ),
}
