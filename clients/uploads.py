"""The bucket as clients fill it: presigned PUT and multipart uploads. Methods block, `*_link` do not."""

from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

from clients.objects import ObjectMissing, Objects, typed


def arriving(key: str) -> str:
    """Where a single PUT goes: its link holds for an hour, also when the upload was completed or thrown away,
    and must not change the file then. Parts need no such place: their links die with the multipart upload."""
    return f"{key}.arriving"


class UploadStore(Objects):
    def put_link(self, key: str, content_type: str, size: int | None, seconds: int) -> str:
        """Where to PUT exactly this type (and size, where it is given); other headers are refused."""
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": key, "ContentType": content_type}
        if size is not None:
            asked["ContentLength"] = size
        return self._s3.generate_presigned_url("put_object", Params=asked, ExpiresIn=seconds)

    def part_link(self, key: str, multipart_id: str, number: int, size: int, seconds: int) -> str:
        """Where to PUT exactly so many bytes."""
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": key, "UploadId": multipart_id}
        asked |= {"PartNumber": number, "ContentLength": size}
        return self._s3.generate_presigned_url("upload_part", Params=asked, ExpiresIn=seconds)

    def begin(self, key: str, content_type: str) -> str:
        """The store's id of a new multipart upload."""
        began = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
        return began["UploadId"]

    def parts(self, key: str, multipart_id: str) -> dict[int, tuple[int, str]]:
        """Number → size and ETag of the parts that are there. Raises ObjectMissing when the upload is not."""
        found: dict[int, tuple[int, str]] = {}
        pages = self._s3.get_paginator("list_parts")
        try:
            for page in pages.paginate(Bucket=self._bucket, Key=key, UploadId=multipart_id):
                for part in page.get("Parts", []):
                    found[part["PartNumber"]] = (part["Size"], part["ETag"])
        except ClientError as error:
            raise typed(error) from error
        return found

    def complete(self, key: str, multipart_id: str, parts: dict[int, tuple[int, str]]) -> None:
        listed = [{"PartNumber": number, "ETag": etag} for number, (_, etag) in sorted(parts.items())]
        self._s3.complete_multipart_upload(
            Bucket=self._bucket,
            Key=key,
            UploadId=multipart_id,
            MultipartUpload={"Parts": listed},  # type: ignore[typeddict-item]
        )

    def abort(self, key: str, multipart_id: str) -> None:
        """Throw a multipart upload and its parts away; one that is gone is fine."""
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=multipart_id)
        except ClientError as error:
            if not isinstance(typed(error), ObjectMissing):
                raise

    def discard(self, key: str, multipart_id: str | None) -> None:
        """Whatever has arrived of an upload goes."""
        if multipart_id:
            self.abort(key, multipart_id)
        else:
            self.delete(arriving(key))
        self.delete(key)

    def move(self, source: str, key: str) -> None:
        """One object to another name, with its type; up to 5 GB. Raises ObjectMissing."""
        try:
            self._s3.copy_object(
                Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": source}
            )
        except ClientError as error:
            raise typed(error) from error
        self.delete(source)

    def unfinished(self, prefix: str) -> list[tuple[str, str]]:
        """Key and store's id of multipart uploads below `prefix` that were not completed: they have parts."""
        pages = self._s3.get_paginator("list_multipart_uploads")
        found = pages.paginate(Bucket=self._bucket, Prefix=prefix)
        return [(each["Key"], each["UploadId"]) for page in found for each in page.get("Uploads", [])]

    def counted(self, prefix: str) -> dict[str, int]:
        """How many objects there are, by two levels of folders below `prefix`."""
        counts: Counter[str] = Counter()
        for key, _ in self.list(prefix):
            folders = key.removeprefix(prefix).split("/")[:-1]
            counts[prefix + "".join(f"{each}/" for each in folders[:2])] += 1
        return dict(sorted(counts.items()))

    def erase_tenant(self, tenant_id: int) -> None:
        """Remove every object of a tenant, and parts of uploads that were not completed."""
        prefix = f"tenants/{tenant_id}/"
        for key, multipart_id in self.unfinished(prefix):
            self.abort(key, multipart_id)
        self._erase(prefix)

    def type_and_size(self, key: str) -> tuple[str, int]:
        """Raises ObjectMissing."""
        found = self._head(key)
        return found.get("ContentType", ""), found["ContentLength"]

    def ping(self) -> None:
        """Raises what the store says when it does not answer, or has no such bucket."""
        self._s3.head_bucket(Bucket=self._bucket)
