"""Makes any S3 server as strict as Cloudflare R2: only the operations and parameters that R2 says it has."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

OPERATIONS = {
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteBucketCors",
    "DeleteObject",
    "DeleteObjects",
    "GetBucketCors",
    "GetBucketEncryption",
    "GetBucketLifecycleConfiguration",
    "GetBucketLocation",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutBucketCors",
    "PutBucketLifecycleConfiguration",
    "PutObject",
    "UploadPart",
    "UploadPartCopy",
}
PARAMETERS = (
    "ACL",
    "BucketKeyEnabled",
    "BypassGovernanceRetention",
    "ExpectedBucketOwner",
    "Grant",
    "MFA",
    "ObjectLock",
    "RequestPayer",
    "ResponseCacheControl",
    "ResponseContent",
    "ResponseExpires",
    "SSEKMS",
    "Tagging",
    "VersionId",
    "WebsiteRedirectLocation",
)
HEADERS = ("x-amz-trailer", "x-amz-sdk-checksum-algorithm")


class NotOnR2(AssertionError):
    """R2 would refuse or ignore this."""


class Guard:
    """Raises `NotOnR2` for every request of `client` that R2 would not serve; `sent` keeps all others' headers."""

    def __init__(self, client: "S3Client") -> None:
        self.sent: list[dict[str, str]] = []
        client.meta.events.register("before-parameter-build.s3", self._check_call)
        client.meta.events.register_last("before-send.s3", self._check_request)

    def _check_call(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name not in OPERATIONS:
            raise NotOnR2(model.name)
        if refused := [name for name in params if name.startswith(PARAMETERS)]:
            raise NotOnR2(f"{model.name}({', '.join(refused)})")

    def _check_request(self, request: Any, **_: Any) -> None:
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        if refused := [name for name in headers if name in HEADERS or name.startswith("x-amz-checksum-")]:
            raise NotOnR2(f"{', '.join(refused)}: checksums of the SDK go out")
        self.sent.append(headers)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
