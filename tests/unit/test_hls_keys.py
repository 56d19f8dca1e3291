"""Which key a segment of an encrypted lecture has, where keys rotate and where they do not."""

import base64

import m3u8
import pytest

from clients.vault import Vault
from contracts.video import Segment, Track
from rules.hls_keys import HlsKey, key_of, named, of_playlist
from rules.playlists import Stretch, growing_playlist, media_playlist
from rules.published import listed
from tests.workflows.world import plan

VAULT = Vault(f"k:{base64.b64encode(bytes(32)).decode()}")


def track(segments: int) -> Track:
    part = Segment(key="p/360p/s.m4s", size=9, sha256="", frames=1, duration=4.0)
    return Track(name="360p", codec="c", init=part, segments=[part] * segments)


@pytest.mark.parametrize("key", [HlsKey("k"), HlsKey("k", 0), HlsKey("a/3:%", 1200), HlsKey("s-1/2")])
def test_a_key_is_found_by_its_name(key: HlsKey) -> None:
    assert of_playlist(key.path) == key
    assert "/" not in key.path or key.first is not None


def test_other_paths_name_no_key() -> None:
    for path in (
        "key-",
        "keys-k",
        "keys-k/",
        "keys-/1",
        "keys-k/1234567",
        "keys-k/\u0663",
        "360p/key-k",
        "keys-k/-1",
    ):
        assert named(path) is None, path


def test_every_stretch_has_its_key_and_a_lecture_of_before_the_one_it_had() -> None:
    assert [key_of("k", 3, number).first for number in range(7)] == [0, 0, 0, 3, 3, 3, 6]
    assert key_of("k", 0, 5) == HlsKey("k")
    before = VAULT.derive("k", b"hls tenants/7/v-1/", 16)
    keys = [VAULT.hls_key("k", "tenants/7/v-1/", first) for first in (None, 0, 3, 6)]
    assert keys[0] == before and len({*keys, VAULT.hls_key("k", "tenants/7/v-2/", 0)}) == 5


def test_playlists_name_the_key_of_each_stretch() -> None:
    text = media_playlist(track(5), "k/1", 2)
    keys = [each and each.uri for each in (segment.key for segment in m3u8.loads(text).segments)]
    assert keys == [f"../keys-k%2F1/{first}" for first in (0, 0, 2, 2, 4)]
    assert [each.key for each in listed(text).entries] == [HlsKey("k/1", first) for first in (0, 0, 2, 2, 4)]
    assert text.index("EXT-X-MAP") < text.index("EXT-X-KEY") and text.count("EXT-X-KEY") == 3
    assert media_playlist(track(5), "k").count('EXT-X-KEY:METHOD=AES-128,URI="../key-k"') == 1


def test_a_growing_playlist_goes_on_with_the_key_of_the_whole() -> None:
    """Where the sound of the beginning goes over into the whole, numbers go on; init segments are clear."""
    names = [(f"s{number:05d}.m4s", 4.0) for number in range(7)]
    rotating = plan("p/", 700).model_copy(update={"key_id": "k", "key_segments": 2})
    text = growing_playlist(rotating, [Stretch("a/init.mp4", names[:3]), Stretch("init.mp4", names[3:])])
    said = [line for line in text.splitlines() if line.startswith(("#EXT-X-KEY", "#EXT-X-MAP", "s"))]
    key = '#EXT-X-KEY:METHOD=AES-128,URI="../keys-k/{}"'
    assert said == [
        '#EXT-X-MAP:URI="a/init.mp4"',
        *(key.format(0), names[0][0], names[1][0], key.format(2), names[2][0]),
        "#EXT-X-KEY:METHOD=NONE",
        '#EXT-X-MAP:URI="init.mp4"',
        *(key.format(2), names[3][0], key.format(4), names[4][0], names[5][0], key.format(6), names[6][0]),
    ]
    shorter = growing_playlist(rotating, [Stretch("a/init.mp4", names[:2])])
    assert text.startswith(shorter)  # what was told does not change
