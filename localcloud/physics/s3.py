"""S3: what a bucket's policy may say, how long keys are, and when a name is free again.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
"""

from __future__ import annotations

import asyncio

from botocore.exceptions import ClientError

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.physics.policies import Principals, bucket_policy_problem
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, s3_error

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: in UTF-8
KEY_BYTES = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html: 20 KB
POLICY_BYTES = 20 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
DELETED_OBJECTS = 1000
# Only here may a bucket be created again.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors
REGION = "us-east-1"


class S3:
    """Sees what is about a bucket as a whole; objects stream past it."""

    def __init__(self, propagation: Propagation, clock: Clock) -> None:
        self.propagation = propagation
        self.clock = clock
        self.s3 = propagation.reader.s3
        self.exists = Principals(propagation.reader)

    @staticmethod
    def wants(call: Call) -> bool:
        bucket, key = bucket_and_key(call)
        if len(key.encode()) > KEY_BYTES:
            return True
        about_bucket = bucket and not key and call.method in ("PUT", "DELETE", "POST")
        return bool(about_bucket) and (
            not call.query or "policy" in call.query or "delete" in call.query
        )

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        bucket, key = bucket_and_key(call)
        if key:
            return s3_error("KeyTooLongError", "Your key is too long")
        match call.method:
            case "POST" if "delete" in call.query:
                return _refuse_many(call) or await forward(call)
            case "PUT" if "policy" in call.query:
                return await self._put_policy(call, forward, bucket)
            case "DELETE" if "policy" in call.query:
                answer = await forward(call)
                await self.propagation.refresh("bucket_policy", bucket)
                return answer
            case "PUT":
                return await self._create(call, forward, bucket)
            case "DELETE":
                answer = await forward(call)
                if answer.ok:
                    self.clock.begin("bucket_name", bucket)
                    await self.propagation.refresh("bucket_policy", bucket)
                return answer
        return await forward(call)

    async def _put_policy(self, call: Call, forward: Forward, bucket: str) -> Answer:
        text = call.body.decode(errors="replace")
        problem = await asyncio.to_thread(bucket_policy_problem, text, bucket, self.exists)
        if len(call.body) > POLICY_BYTES:
            problem = "The policy is larger than 20 KB"
        if problem:
            return s3_error("MalformedPolicy", problem)
        answer = await forward(call)
        if answer.ok:
            await self.propagation.refresh("bucket_policy", bucket)
        return answer

    async def _create(self, call: Call, forward: Forward, bucket: str) -> Answer:
        if self.clock.under_way("bucket_name", bucket):
            return s3_error(
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this "
                "resource. Please try again.",
                409,
            )
        is_new = not await asyncio.to_thread(self._is_there, bucket)
        if not is_new and _region_of(call) != REGION:
            return s3_error(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                409,
            )
        answer = await forward(call)
        if answer.ok and is_new:
            await asyncio.to_thread(self._block_public_access, bucket)
        return answer

    def _is_there(self, bucket: str) -> bool:
        try:
            self.s3.head_bucket(Bucket=bucket)
        except ClientError:
            return False
        return True

    def _block_public_access(self, bucket: str) -> None:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html: since 2023
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        self.s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(names, True)
        )


def _region_of(call: Call) -> str:
    """Where the bucket is asked for."""
    asked = "" if call.xml is None else call.xml.findtext("{*}LocationConstraint", "")
    return asked or call.region


def _refuse_many(call: Call) -> Answer | None:
    if call.xml is None or len(call.xml.findall("{*}Object")) <= DELETED_OBJECTS:
        return None
    return s3_error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def bucket_and_key(call: Call) -> tuple[str, str]:
    """From the path, or from the host when the bucket is there."""
    host, path = call.headers.get("host", ""), call.decoded_path.removeprefix("/")
    if ".s3." in host:
        return host.partition(".s3.")[0], path
    bucket, _, key = path.partition("/")
    return bucket, key
