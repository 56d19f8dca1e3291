"""Objects in R2 or any S3. Every call blocks: use `asyncio.to_thread`."""

import errno
import hashlib
import io
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from clients.connections import ObjectsPart
from contracts.video import SourceRef

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef, ListObjectsV2OutputTypeDef

CHUNK = 1024 * 1024
RUN_BY_BROWSERS = (".html", ".htm", ".xhtml", ".svg", ".xml")
NOT_THERE = frozenset({"NoSuchKey", "NoSuchUpload"})  # not the bucket, and not a proxy's own 404

ERASED = "erased-tenants/"  # an empty object for each erased tenant, for a database that has lost its own


class ObjectMissing(Exception):
    """No object at this key."""


class ObjectChanged(Exception):
    """The object is not the version that was asked for, or somebody else wrote first."""


class Objects:
    """One bucket. Connects in 5 s, waits 60 s for bytes, and retries on its own a few times."""

    def __init__(self, settings: ObjectsPart) -> None:
        self._bucket = settings.r2_bucket
        self._s3 = boto3.client(
            "s3",
            endpoint_url=settings.r2_endpoint_url,
            region_name=settings.r2_region,
            aws_access_key_id=settings.r2_access_key_id or None,  # None: this machine's role
            aws_secret_access_key=settings.r2_secret_access_key.get_secret_value() or None,
            config=Config(
                signature_version="s3v4",  # of links too: R2 takes no other
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 4},
                max_pool_connections=32,
                s3={"addressing_style": "path"},
                # R2 and SeaweedFS know no default CRC trailers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def head(self, key: str) -> SourceRef:
        """Raises ObjectMissing."""
        answer = self._head(key)
        return SourceRef(key=key, etag=answer["ETag"], size=answer["ContentLength"])

    def etag(self, key: str) -> str | None:
        """None where there is no such object."""
        try:
            return self.head(key).etag
        except ObjectMissing:
            return None

    def get(self, key: str) -> bytes:
        """A small object, whole. Raises ObjectMissing."""
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise typed(error) from error

    def link(self, key: str, seconds: int, *, saved_as: str | None = None) -> str:
        """An address at which anybody may GET the object for so long. Asks nobody, so it does not block.
        What a browser would run at the store's address it saves instead; with `saved_as` anything, under that
        name of letters, digits and dots."""
        asked = {"Bucket": self._bucket, "Key": key}
        if key.lower().endswith(RUN_BY_BROWSERS):
            asked["ResponseContentDisposition"] = "attachment"
        if saved_as:
            asked["ResponseContentDisposition"] = f'attachment; filename="{saved_as}"'
        return self._s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)

    def download(self, source: SourceRef, path: Path) -> str:
        """Fetch exactly the version `source` names; goes on where an earlier try left `path`.

        Returns the file's MD5. Raises ObjectMissing, ObjectChanged, ConnectionError when something else came.
        """
        path.touch(mode=0o600)
        done = path.stat().st_size
        # What an earlier try left is read again in the end.
        digest = hashlib.md5(usedforsecurity=False) if not done else None
        if done < source.size:
            try:
                body = self._s3.get_object(
                    Bucket=self._bucket, Key=source.key, IfMatch=source.etag, Range=f"bytes={done}-"
                )["Body"]
            except ClientError as error:
                raise self._meant(error, source) from error
            with path.open("ab") as file:
                for chunk in body.iter_chunks(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    if digest:
                        digest.update(chunk)
        if done != source.size:
            path.unlink(missing_ok=True)
            raise ConnectionError(f"got {done} of {source.size} bytes")
        came = digest.hexdigest() if digest else md5_of(path)
        if came != (self._md5(source) or came):
            path.unlink(missing_ok=True)
            raise ConnectionError("got other bytes than were stored")
        return came

    def read(self, source: SourceRef, start: int, end: int) -> bytes:
        """Bytes `start` to before `end` of exactly the version `source` names. Raises ObjectMissing,
        ObjectChanged, ConnectionError when it is not that much."""
        try:
            data = self._s3.get_object(
                Bucket=self._bucket, Key=source.key, IfMatch=source.etag, Range=f"bytes={start}-{end - 1}"
            )["Body"].read()
        except ClientError as error:
            raise self._meant(error, source) from error
        if len(data) != end - start:
            raise ConnectionError(f"got {len(data)} of {end - start} bytes")
        return data

    def same(self, source: SourceRef, digest: str) -> bool:
        """Whether exactly the version `source` names has this MD5. Reads all of it where its ETag does not
        tell. Raises ObjectMissing, ObjectChanged."""
        if told := self._md5(source):
            return digest == told
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=source.key, IfMatch=source.etag)["Body"]
        except ClientError as error:
            raise self._meant(error, source) from error
        return digest == _digest(body.iter_chunks(CHUNK))

    def _md5(self, source: SourceRef) -> str | None:
        """What the ETag tells: nothing of an upload in parts, or of what the store has encrypted with a key
        of its own."""
        told = source.etag.strip('"')
        if not re.fullmatch("[0-9a-f]{32}", told):
            return None
        answer = self._head(source.key)
        if answer["ETag"] != source.etag:
            raise ObjectChanged
        plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
        return told if plain and "SSECustomerAlgorithm" not in answer else None

    def _head(self, key: str) -> "HeadObjectOutputTypeDef":
        """Raises ObjectMissing where the store's list has no such key either: an answer to HEAD has no body,
        and whoever stands between says 404 as well."""
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _status(error) != 404:
                raise
            if key in (listed for listed, _ in itertools.islice(self.list(key), 1)):
                raise ConnectionError("the store lists what it says it has not") from error
            raise ObjectMissing from error

    def _meant(self, error: ClientError, source: SourceRef) -> Exception:
        """What the error of a read means. That a source is not there, or another one, ends its job: so the
        store is asked again for what it has. Raises ObjectMissing."""
        meant = typed(error)
        if meant is not error and self._head(source.key)["ETag"] == source.etag:
            return ConnectionError("the store does not give what it says it has")
        return meant

    def put(
        self,
        key: str,
        data: bytes | Path,
        content_type: str,
        *,
        cache_control: str = "private, max-age=31536000, immutable",
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> None:
        """Write an object; a path must be that of a regular file. With `if_match` (an ETag) or `if_absent`:
        ObjectChanged if somebody was first."""
        condition: dict[str, Any] = {}
        if if_match:
            condition["IfMatch"] = if_match
        if if_absent:
            condition["IfNoneMatch"] = "*"
        try:
            with _opened(data) if isinstance(data, Path) else io.BytesIO(data) as body:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    ContentType=content_type,
                    CacheControl=cache_control,
                    **condition,
                )
        except ClientError as error:
            raise typed(error) from error

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object below `prefix`."""
        for page in self._pages(Prefix=prefix):
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"]

    def written(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Key, size and time of every object below `prefix`."""
        for page in self._pages(Prefix=prefix):
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"], item["LastModified"]

    def folders(self, start: str) -> Iterator[str]:
        """What begins with `start`, up to the next slash, of all keys that have one."""
        for page in self._pages(Prefix=start, Delimiter="/"):
            for item in page.get("CommonPrefixes", []):
                yield item["Prefix"]

    def _pages(self, **asked: Any) -> "Iterator[ListObjectsV2OutputTypeDef]":
        """Each names its bucket. What does not is somebody's page, which reads like an empty list."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **asked):
            if page.get("Name") != self._bucket:
                raise ConnectionError("an answer of the store is no list of this bucket")
            yield page

    def erase(self, prefix: str) -> int:
        """Remove everything below `prefix`, until a listing finds nothing; returns how many objects went."""
        if not prefix.endswith("/") or prefix.count("/") < 3:
            raise ValueError(f"{prefix!r} is too broad to erase")
        return self._erase(prefix)

    def _erase(self, prefix: str) -> int:
        erased = 0
        while keys := [key for key, _ in self.list(prefix)]:
            for start in range(0, len(keys), 1000):
                batch = keys[start : start + 1000]
                answer = self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )
                if errors := answer.get("Errors"):
                    raise ConnectionError(f"{len(errors)} objects not deleted: {errors[0].get('Code')}")
                erased += len(batch)
        return erased

    def delete(self, key: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=key)


def _opened(path: Path) -> BinaryIO:
    """Whoever makes the files may put a link or a pipe in the place of one that was looked at."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise OSError(errno.ELOOP, "not a file of its own", path.name)
    return os.fdopen(descriptor, "rb")


def read_own(path: Path) -> bytes:
    """A regular file, and no link to others. Raises OSError."""
    with _opened(path) as file:
        return file.read()


def md5_of(path: Path) -> str:
    """Of a file: what an S3 calls its ETag. Against damage, not against people."""
    with path.open("rb") as file:
        return _digest(iter(lambda: file.read(CHUNK), b""))


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def md5(data: bytes) -> str:
    """As `md5_of`."""
    return _digest([data])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def typed(error: ClientError) -> Exception:
    """ObjectMissing and ObjectChanged for what S3 itself means by 404, 409 and 412; the error otherwise."""
    if _status(error) == 404 and error.response.get("Error", {}).get("Code") in NOT_THERE:
        return ObjectMissing()
    if _status(error) in (409, 412):
        return ObjectChanged()
    return error


def _status(error: ClientError) -> int | None:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
