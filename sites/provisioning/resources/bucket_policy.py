"""``AWS::S3::BucketPolicy``: one distribution may read, and nobody without TLS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class BucketPolicy(Resource):
    type = "bucket_policy"
    not_found = frozenset({"NoSuchBucket", "NoSuchBucketPolicy"})
    bucket_name: str
    distribution_arn: str

    @property
    def label(self) -> str:
        return self.bucket_name

    def desired(self) -> dict[str, Any]:
        return {"Policy": self._policy()}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        policy = clients.s3.get_bucket_policy(Bucket=self.bucket_name)["Policy"]
        return State(self.bucket_name, {"Policy": json.loads(policy)})

    def _create(self, clients: Clients) -> str:
        policy = json.dumps(self.sent()["Policy"])
        clients.s3.put_bucket_policy(Bucket=self.bucket_name, Policy=policy)
        return self.bucket_name

    def _update(self, clients: Clients, current: State) -> None:
        self._create(clients)

    def _delete(self, clients: Clients, current: State) -> None:
        clients.s3.delete_bucket_policy(Bucket=self.bucket_name)

    def _policy(self) -> dict[str, Any]:
        bucket = f"arn:aws:s3:::{self.bucket_name}"
        reader = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Condition": {"StringEquals": {"AWS:SourceArn": self.distribution_arn}},
        }
        return {
            "Version": "2012-10-17",
            "Statement": [
                reader | {"Sid": "Read", "Action": "s3:GetObject", "Resource": f"{bucket}/*"},
                # Without it S3 answers 403 for a missing key. Nobody can list: CloudFront never
                # forwards the URI that would.
                reader | {"Sid": "TellMissing", "Action": "s3:ListBucket", "Resource": bucket},
                {
                    "Sid": "TLSOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket, f"{bucket}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
        }
