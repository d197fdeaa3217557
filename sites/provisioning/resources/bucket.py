"""``AWS::S3::Bucket``: private, encrypted, without ACLs. Its objects never change once written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.documents import project
from sites.provisioning.resources.base import Resource, State, tag_dict, tag_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudadmin.aws import Clients

# So that one pass of emptying takes seconds: a page of objects is deleted by one request, one of
# uploads that were never finished by a request for each.
PAGES_PER_PASS = 20
UPLOADS_PER_PAGE = 20

PUBLIC_ACCESS_BLOCK: Any = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
OWNERSHIP: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
ENCRYPTION: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
LIFECYCLE: Any = {
    "Rules": [
        {
            "ID": "abort-incomplete-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
# What S3 answers when a bucket exists and that setting does not.
UNSET = frozenset(
    {
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchLifecycleConfiguration",
        "NoSuchTagSet",
    }
)


@dataclass(frozen=True)
class Bucket(Resource):
    type = "bucket"
    keeps_data = True
    not_found = frozenset({"NoSuchBucket"})
    exists = frozenset({"BucketAlreadyOwnedByYou"})
    in_use = frozenset({"BucketNotEmpty"})
    name: str
    region: str
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict[str, Any]:
        return {
            "PublicAccessBlock": PUBLIC_ACCESS_BLOCK,
            "OwnershipControls": OWNERSHIP,
            "Encryption": ENCRYPTION,
            "Lifecycle": LIFECYCLE,
            "Tags": self.tags,
        }

    def _read(self, clients: Clients, known_id: str) -> State | None:
        s3, name = clients.s3, self.name
        tags = _setting(s3.get_bucket_tagging, name, "TagSet") or []
        settings = {
            "PublicAccessBlock": _setting(
                s3.get_public_access_block, name, "PublicAccessBlockConfiguration"
            ),
            "OwnershipControls": _setting(
                s3.get_bucket_ownership_controls, name, "OwnershipControls"
            ),
            "Encryption": _setting(
                s3.get_bucket_encryption, name, "ServerSideEncryptionConfiguration"
            ),
            "Lifecycle": {"Rules": _setting(s3.get_bucket_lifecycle_configuration, name, "Rules")},
            "Tags": tag_dict(tags, self.tags),
        }
        return State(
            name,
            project(self.desired(), settings),
            {
                "arn": f"arn:aws:s3:::{name}",
                "domain_name": f"{name}.s3.{self.region}.amazonaws.com",
            },
        )

    def _create(self, clients: Clients) -> str:
        # us-east-1 is the one region that must not be named.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        elsewhere: Any = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        clients.s3.create_bucket(
            Bucket=self.name, **({} if self.region == "us-east-1" else elsewhere)
        )
        self._configure(clients)
        return self.name

    def _update(self, clients: Clients, current: State) -> None:
        self._configure(clients)

    def _configure(self, clients: Clients) -> None:
        s3, name, wanted = clients.s3, self.name, self.sent()
        if block := wanted.get("PublicAccessBlock"):
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        else:
            s3.delete_public_access_block(Bucket=name)
        if ownership := wanted.get("OwnershipControls"):
            s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)
        else:
            s3.delete_bucket_ownership_controls(Bucket=name)
        if encryption := wanted.get("Encryption"):
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption)
        else:
            s3.delete_bucket_encryption(Bucket=name)
        if lifecycle := wanted.get("Lifecycle"):
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle)
        else:
            s3.delete_bucket_lifecycle(Bucket=name)
        self._tag(clients, wanted["Tags"])

    def _tag(self, clients: Clients, tags: dict[str, str]) -> None:
        # S3 replaces all tags of a bucket; those of others stay.
        found = _setting(clients.s3.get_bucket_tagging, self.name, "TagSet") or []
        others = {tag["Key"]: tag["Value"] for tag in found if tag["Key"] not in self.tags}
        clients.s3.put_bucket_tagging(
            Bucket=self.name, Tagging={"TagSet": tag_list({**others, **tags})}
        )

    def _delete(self, clients: Clients, current: State) -> State | None:
        """Empties it, some pages a pass: what a killed pass has deleted stays deleted."""
        for _ in range(PAGES_PER_PASS):
            if not self._delete_page(clients) and not self._abort_page(clients):
                clients.s3.delete_bucket(Bucket=self.name)
                return None
        return replace(
            current, ready=False, waiting_for="its objects to be deleted, 1,000 a request"
        )

    def _delete_page(self, clients: Clients) -> bool:
        """Delete up to 1,000 objects or versions; False when there are none."""
        page = clients.s3.list_object_versions(Bucket=self.name)
        found: list[Any] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects: Any = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not objects:
            return False
        answer = clients.s3.delete_objects(
            Bucket=self.name, Delete={"Objects": objects, "Quiet": True}
        )
        for error in answer.get("Errors", []):
            # One refused object answers 200, with its error inside.
            response: Any = {
                "Error": {"Code": error.get("Code", ""), "Message": error.get("Message", "")}
            }
            raise ClientError(response, "DeleteObjects")
        return True

    def _abort_page(self, clients: Clients) -> bool:
        """Abort some uploads that were never finished; False when there are none."""
        page = clients.s3.list_multipart_uploads(Bucket=self.name, MaxUploads=UPLOADS_PER_PAGE)
        uploads = page.get("Uploads", [])
        for upload in uploads:
            try:
                clients.s3.abort_multipart_upload(
                    Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as error:
                # Finished or aborted since it was listed, maybe by an earlier try of this call.
                if error_code(error) != "NoSuchUpload":
                    raise
        return bool(uploads)


def _setting(call: Callable[..., Any], name: str, key: str) -> Any:
    try:
        return call(Bucket=name).get(key)
    except ClientError as error:
        if error_code(error) in UNSET:
            return None
        raise
