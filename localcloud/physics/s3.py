"""S3: a bucket policy is JSON, and the edge hears of it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
"""

from __future__ import annotations

import json

from localcloud.physics import Forward
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, s3_error


class S3:
    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if call.method == "PUT" and not _is_policy(call.body):
            return s3_error("MalformedPolicy", "This policy contains invalid Json")
        answer = await forward(call)
        if answer.ok and call.method in ("PUT", "DELETE"):
            await self.propagation.refresh("bucket_policy", _bucket(call))
        return answer


def _is_policy(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _bucket(call: Call) -> str:
    first = call.decoded_path.strip("/").partition("/")[0]
    return first or call.headers["host"].partition(".s3.")[0]
