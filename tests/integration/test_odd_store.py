"""What an object store may answer beside what it has, and that only what is proven ends a job."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock
from uuid import uuid4

import pytest
from fastapi import Request, Response
from temporalio.exceptions import ApplicationError

from activities.video.errors import media_errors
from activities.video.publication import Publication, _load
from clients.objects import ObjectMissing, Objects
from contracts.video import Manifest, PictureManifest, PublishInput, Segment, SourceRef, Track
from devstack.ports import LOOPBACK
from tests.integration.serving import bare_settings, serving
from tests.workflows.world import plan

KEY, DATA = "tenants/7/video/raw/lecture.mp4", b"of the lecture"
ETAG = f'"{hashlib.md5(DATA, usedforsecurity=False).hexdigest()}"'
PAGE = "<html><head><title>404 Not Found</title></head><body>nginx</body></html>"
BUCKET = bare_settings().r2_bucket
HAS_IT = {"ETag": ETAG, "Content-Length": str(len(DATA))}


def answer(status: int, code: str) -> Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>x</Message></Error>"
    return Response(body, status, media_type="application/xml")


def page(status: int = 404) -> Response:
    return Response(PAGE, status, media_type="text/html")


def listing(*keys: str) -> Response:
    inside = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    return Response(
        f"<ListBucketResult><Name>{BUCKET}</Name>{inside}</ListBucketResult>", media_type="application/xml"
    )


def there(etag: str = ETAG) -> Response:
    return Response(None, headers=HAS_IT | {"ETag": etag})


Said = dict[str, Response]
PROVEN: list[tuple[Said, str]] = [
    ({"HEAD": Response(None, 404), "LIST": listing()}, "SOURCE_MISSING"),
    ({"HEAD": Response(None, 404), "LIST": listing(f"{KEY}.arriving")}, "SOURCE_MISSING"),
    ({"GET": answer(404, "NoSuchKey"), "HEAD": Response(None, 404), "LIST": listing()}, "SOURCE_MISSING"),
    ({"GET": answer(412, "PreconditionFailed"), "HEAD": there('"another"')}, "SOURCE_CHANGED"),
]
NOT_PROVEN: list[Said] = [
    {"HEAD": Response(None, 404), "LIST": listing(KEY)},
    {"HEAD": Response(None, 404), "LIST": page()},
    {"HEAD": Response(None, 404), "LIST": page(200)},
    {"HEAD": Response(None, 404), "LIST": answer(404, "NoSuchBucket")},
    {"HEAD": Response(None, 404), "LIST": answer(403, "AccessDenied")},
    {"HEAD": Response(None, 403)},
    {"HEAD": Response(None, 301)},
    {"HEAD": Response(None, 200)},
    {"GET": answer(404, "NoSuchKey"), "HEAD": there()},
    {"GET": answer(404, "NoSuchBucket"), "HEAD": there()},
    {"GET": answer(412, "PreconditionFailed"), "HEAD": there()},
    {"GET": answer(409, "OperationAborted"), "HEAD": there()},
    {"GET": answer(416, "InvalidRange"), "HEAD": there()},
    {"GET": answer(403, "RequestTimeTooSkewed"), "HEAD": there()},
    {"GET": page(), "HEAD": there()},
    {"GET": page(200), "HEAD": there()},
    {"GET": Response(b"o" * len(DATA), headers={"ETag": ETAG}), "HEAD": there()},
]


@pytest.fixture
def ask(tmp_path: Any) -> Callable[[int, Said], None]:
    """What `video.probe` asks of the store before it can look at a source."""

    def asked(port: int, said: Said) -> None:
        objects = Objects(bare_settings(r2_endpoint_url=f"http://{LOOPBACK}:{port}"))
        with media_errors():
            source = SourceRef(key=KEY, etag=ETAG, size=len(DATA)) if "GET" in said else objects.head(KEY)
            objects.download(source, tmp_path / "source")

    return asked


@contextmanager
def ended() -> Iterator[list[str]]:
    """The codes that a job would end with."""
    codes: list[str] = []
    try:
        yield codes
    except ApplicationError as error:
        if error.non_retryable:
            codes.append(str(error.type))
    except Exception:  # noqa: BLE001 - whatever it is, it is tried again
        return


def kind_of(request: Request) -> str:
    return "LIST" if "list-type" in request.query_params else request.method


@pytest.mark.parametrize(("said", "code"), [*PROVEN, *((said, None) for said in NOT_PROVEN)])
async def test_only_what_is_proven_ends_a_lecture(
    ask: Callable[[int, Said], None], said: Said, code: str | None
) -> None:
    async with serving(lambda request, _: said[kind_of(request)]) as (_, port):
        with ended() as codes:
            await asyncio.to_thread(ask, port, said)
            pytest.fail("it has got a source")
    assert codes == ([code] if code else [])


@pytest.mark.parametrize(
    ("said", "missing"),
    [(answer(404, "NoSuchKey"), True), (answer(404, "NoSuchBucket"), False), (page(), False)],
)
async def test_a_404_of_others_is_no_missing_object(said: Response, missing: bool) -> None:
    """Bodies of letters, recipients, results: what is missing ends them."""
    async with serving(lambda _, __: said) as (_, port):
        objects = Objects(bare_settings(r2_endpoint_url=f"http://{LOOPBACK}:{port}"))
        with pytest.raises(Exception) as caught:
            await asyncio.to_thread(objects.get, KEY)
    assert isinstance(caught.value, ObjectMissing) is missing


def segment(name: str) -> Segment:
    return Segment(key=f"v/{name}", size=4, sha256="0", frames=1, duration=1.0)


@pytest.mark.parametrize(("head", "codes"), [(4, []), (3, ["ENCODE_FAILED"]), (None, ["ENCODE_FAILED"])])
def test_a_list_that_is_behind_fails_no_lecture(head: int | None, codes: list[str]) -> None:
    track = Track(name="720p", codec="x", init=segment("init.mp4"), segments=[segment("s0.m4s")])
    ref = {"job_id": uuid4(), "tenant_id": 7, "video_id": 8}
    what = PublishInput(**ref, epoch=1, plan=plan("v/", 1), batches=[], audio=None)
    objects = MagicMock(Objects)
    objects.list.return_value = [("v/init.mp4", 4)]
    objects.head.side_effect = (
        (lambda key: SourceRef(key=key, etag="x", size=head)) if head else ObjectMissing()
    )
    found = Publication(
        objects=objects,
        what=what,
        video=[track],
        sounds=[],
        pictures=PictureManifest(pictures=[]),
        damage=[],
        warnings=[],
        too_quiet=False,
    )
    with ended() as ends:
        found.check_and_write_playlists()
        pytest.fail("it has published what is not there")
    assert ends == codes
    objects.put.assert_not_called()


@pytest.mark.parametrize(("same", "codes"), [(False, []), (True, ["ENCODE_FAILED"])])
def test_a_manifest_that_came_altered_is_not_one_that_was(same: bool, codes: list[str]) -> None:
    objects = MagicMock(Objects)
    objects.get.return_value = PAGE.encode()
    objects.same.return_value = same
    with ended() as ends:
        _load(objects, Manifest(key="v/manifest.json", sha256="0"))
        pytest.fail("it has read a page")
    assert ends == codes
