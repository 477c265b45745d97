"""A customer's photo keeps its pixels and loses everything else; whatever is no photo is refused with a way out."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageFile

from portal.adapters.pillow_photos import MOST_SCANS, PillowPhotos, short_name
from portal.errors import Invalid
from portal.returns.photos import MAX_BYTES, MAX_SIDE, Encoded, check_count

ROOT = Path(__file__).parents[3]
PHOTOS = PillowPhotos()
ORIENTATION, GPS = 0x0112, 0x8825
UNREADABLE = "can’t be read as a photo. Choose a JPEG, PNG, WebP or HEIC file"


def picture(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), (220, 20, 20))
    image.paste((20, 20, 220), (0, height // 2, width, height))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def with_gps(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "Leaky Camera"
    exif.get_ifd(GPS).update({1: "N", 2: (51.0, 27.0, 14.0), 3: "W", 4: (2.0, 35.0, 0.0)})
    return exif


def heic(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=80, **options)
    return out.getvalue()


def opened(found: Encoded) -> Image.Image:
    image = Image.open(io.BytesIO(found.data))
    image.load()
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda image: saved(image, "JPEG"),
        lambda image: saved(image, "PNG"),
        lambda image: saved(image, "WEBP"),
        heic,
    ],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_the_four_formats_of_phones_become_a_jpeg_of_the_same_picture(make: Callable[[Image.Image], bytes]) -> None:
    found = PHOTOS.reencode(make(picture()), "tags.any")
    image = opened(found)
    assert (found.media_type, image.format, found.width, found.height) == ("image/jpeg", "JPEG", 60, 40)
    above, below = image.getpixel((30, 5)), image.getpixel((30, 35))
    assert above[0] > 180 > above[2]
    assert below[2] > 180 > below[0]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_way_to_store_colours_is_understood(mode: str) -> None:
    image = picture(mode="L").convert("I").convert("I;16") if mode == "I;16" else picture(mode=mode)
    assert PHOTOS.reencode(saved(image, "JPEG" if mode == "CMYK" else "PNG"), "tags").width == 60


@pytest.mark.parametrize("width", [64, MAX_SIDE + 48])
@pytest.mark.parametrize("more", [{}, {"transparency": 65_535}])
def test_sixteen_bits_of_grey_stay_grey(width: int, more: dict[str, int]) -> None:
    ramp = Image.frombytes(
        "I;16", (width, 8), b"".join(struct.pack("<H", x * 65_535 // width) for x in range(width)) * 8
    )
    found = opened(PHOTOS.reencode(saved(ramp, "PNG", **more), "scan.png")).convert("L")
    shown = [found.getpixel((round(part * (found.width - 1)), 4)) for part in (0, 0.25, 0.5, 0.75, 1)]
    assert all(abs(value - wanted) < 8 for value, wanted in zip(shown, (0, 64, 128, 191, 255), strict=True)), shown


@pytest.mark.parametrize("size", [(60, 40), (3_000, 90)])
def test_of_a_photo_that_carries_a_second_picture_the_first_is_taken_alone(size: tuple[int, int]) -> None:
    exif = with_gps(orientation=6)
    second = Image.new("RGB", (30, 20), (0, 160, 0))
    found = PHOTOS.reencode(saved(picture(*size), "MPO", save_all=True, append_images=[second], exif=exif), "phone.jpg")
    assert b"MPF" not in found.data
    assert b"Leaky" not in found.data
    image = opened(found)
    assert (image.format, getattr(image, "n_frames", 1)) == ("JPEG", 1)
    assert image.height > image.width
    left, right = image.getpixel((2, image.height // 2)), image.getpixel((image.width - 3, image.height // 2))
    assert left[2] > 150 > left[0]
    assert right[0] > 150 > right[2]


def test_what_is_transparent_turns_white_not_black() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert opened(PHOTOS.reencode(saved(clear, "PNG"), "logo.png")).getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize(
    "data",
    [
        saved(picture(), "JPEG", exif=with_gps(), comment=b"home address"),
        saved(picture(), "PNG", exif=with_gps()),
        saved(picture(), "WEBP", exif=with_gps()),
        heic(picture(), exif=with_gps().tobytes()),
    ],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_place_camera_and_comments_are_gone(data: bytes) -> None:
    assert b"Leaky Camera" in data
    found = PHOTOS.reencode(data, "tags.jpg")
    image = opened(found)
    assert dict(image.getexif()) == {}
    assert not {"exif", "comment", "xmp", "icc_profile"} & set(image.info)
    assert b"Leaky Camera" not in found.data
    assert b"home address" not in found.data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_taken_sideways_stands_upright(orientation: int) -> None:
    upright = picture(60, 40)
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    stored = upright
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    found = PHOTOS.reencode(saved(stored, "JPEG", exif=with_gps(orientation)), "tags.jpg")
    assert (found.width, found.height) == (60, 40)
    above, below = opened(found).getpixel((30, 5)), opened(found).getpixel((30, 35))
    assert above[0] > above[2]
    assert below[2] > below[0]


def test_a_large_photo_is_made_small_and_keeps_its_shape() -> None:
    found = PHOTOS.reencode(saved(picture(4000, 3000), "JPEG"), "tags.jpg")
    assert (found.width, found.height) == (MAX_SIDE, 1500)


def test_a_colour_profile_is_applied_and_dropped_and_a_broken_one_stops_no_photo() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for data in (profile, b"no profile at all"):
        found = PHOTOS.reencode(saved(picture(), "JPEG", icc_profile=data), "tags.jpg")
        assert opened(found).getpixel((30, 5))[0] > 180
        assert "icc_profile" not in opened(found).info


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it is gigantic."""
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"),
    [(20_000, 20_000), (9_000, 8_000), (65_000, 65_000), (1, 30_000), (30_000, 1), (1, 63_900_000), (6_000, 6_000)],
)
def test_a_picture_that_would_fill_the_memory_is_refused_undecoded(width: int, height: int) -> None:
    data = bomb(width, height)
    assert len(data) < 10_000
    with pytest.raises(Invalid) as caught:
        PHOTOS.reencode(data, "bomb.png")
    assert "bomb.png" in caught.value.message


def scanned(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG whose pixels are gone over ``scans`` times, for about a hundred bytes each time at most."""

    def segment(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body

    def code(kind: int, value: int) -> bytes:
        return segment(0xC4, bytes([kind << 4, 1, *[0] * 15, value]))

    blocks = -(-width // 8) * -(-height // 8)
    # "Nothing in the next 32,767 blocks", a code of one bit and fourteen of its number, as often as it takes.
    bits = ("0" + "1" * 14) * -(-blocks // 32_767)
    bits += "1" * (-len(bits) % 8)
    nothing = b"".join(bytes([int(bits[at : at + 8], 2)]) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    head = segment(0xDB, bytes([0, *[16] * 64])) + segment(
        0xC2, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    )
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    more = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + nothing
    return b"\xff\xd8" + head + code(0, 0) + code(1, 0xE0) + first + more * (scans - 1) + b"\xff\xd9"


PIXEL = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
PROFILE = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000), 9))


@pytest.mark.parametrize(
    "data",
    [
        scanned(8_000, 8_000, 10_000),
        scanned(64, 64, MOST_SCANS + 1),
        scanned(64, 64, 100).replace(b"\xff\xda", b"\xff\xff\xda"),
        b"\xff\xd8" + b"\xff\xfe\0\2" * 2_000_000 + saved(picture(), "JPEG")[2:],
        b"\xff\xd8" + b"\xff" * 8_000_000 + saved(picture(), "JPEG")[2:],
        b"\xff\xd8" + b"\xff\0" * 4_000_000 + saved(picture(), "JPEG")[2:],
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", PIXEL) + chunk(b"prVt") * 800_000 + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", PIXEL) + PROFILE * 6_000 + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND"),
    ],
    ids=["scans", "one scan too many", "fill bytes before scans", "comments", "fill bytes",
         "stuffed bytes", "chunks", "profiles"],
)  # fmt: skip
def test_a_small_file_that_takes_long_to_decode_is_refused_undecoded(data: bytes) -> None:
    assert len(data) < MAX_BYTES
    began = time.process_time()
    with pytest.raises(Invalid) as caught:
        PHOTOS.reencode(data, "tags.jpg")
    assert caught.value.fields == {"photos": f"tags.jpg {UNREADABLE}"}
    assert time.process_time() - began < 1


def test_as_many_scans_as_cameras_and_editors_write_are_read_whatever_follows_the_photo() -> None:
    for kind in ("RGB", "CMYK"):
        assert PHOTOS.reencode(saved(picture(mode=kind), "JPEG", progressive=True), "tags.jpg").width == 60
    # A film behind the photo, as some phones keep it, looks like a few scans by chance.
    assert PHOTOS.reencode(scanned(64, 64, MOST_SCANS) + b"\xff\xda" * 200, "tags.jpg").width == 64


HUNGRY = """
import io, resource, sys
from PIL import Image
from portal.adapters.pillow_photos import PillowPhotos
made = io.BytesIO()
width, height, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
Image.new("RGBA", (width, height), (1, 2, 3, 4)).save(made, kind, **({"lossless": True} if kind == "WEBP" else {}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = PillowPhotos().reencode(made.getvalue(), "large.png")
print(found.width, found.height, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(
    ("width", "height", "kind", "small"), [(1_250, 20_000, "PNG", (125, 2_000)), (5_000, 5_000, "WEBP", (2_000, 2_000))]
)
def test_the_largest_photo_that_is_taken_fits_into_half_a_gigabyte(
    width: int, height: int, kind: str, small: tuple[int, int]
) -> None:
    command = [sys.executable, "-c", HUNGRY, str(width), str(height), kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *size, megabytes = map(int, done.stdout.split())
    assert tuple(size) == small
    assert megabytes < 600


@pytest.mark.parametrize("mode", ["P", "1", "RGBA", "LA"])
def test_a_large_picture_of_any_kind_keeps_its_colours_and_stands_upright(mode: str) -> None:
    image = picture(2_100, 30, mode)
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    found = PHOTOS.reencode(saved(image, "PNG", exif=exif), "wide.png")
    assert (found.width, found.height) == (MAX_SIDE, round(30 * MAX_SIDE / 2_100))
    above, below = (opened(found).getpixel((30, row)) for row in (3, 25))
    assert above != below
    if mode in ("P", "RGBA"):
        assert above[2] > 150 > above[0]
        assert below[0] > 150 > below[2]


def test_more_than_ten_megabytes_are_refused_in_the_words_of_the_form() -> None:
    with pytest.raises(Invalid) as caught:
        PHOTOS.reencode(b"\xff\xd8" + b"x" * MAX_BYTES, "tags.heic")
    assert caught.value.message == "tags.heic is larger than 10 MB. Choose a smaller photo"
    assert caught.value.fields == {"photos": caught.value.message}


JPEG = saved(picture(200, 200), "JPEG")
WHOLE_HEIC = heic(picture(200, 200))


@pytest.mark.parametrize(
    "data",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7\n",
        b"GIF89a" + b"\0" * 50,
        b"BM" + b"\0" * 100,
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        saved(picture(), "TIFF"),
        saved(picture(), "GIF"),
        JPEG[: len(JPEG) // 2],
        JPEG[:20],
        WHOLE_HEIC[: len(WHOLE_HEIC) // 2],
        saved(picture(200, 200), "PNG")[:150],
        saved(picture(200, 200), "WEBP")[:60],
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x10\x00\x00\x00WEBP",
        b"\0" * 1000,
    ],
    ids=["svg", "html", "pdf", "gif head", "bmp", "postscript", "tiff", "gif", "half a jpeg", "a jpeg's head", "half a heic",
         "half a png", "half a webp", "png magic", "webp magic", "zeros"],
)  # fmt: skip
def test_what_is_no_whole_photo_is_refused_whatever_it_is_called(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        PHOTOS.reencode(data, "tags.jpg")
    assert caught.value.message == f"tags.jpg {UNREADABLE}"


def test_half_a_photo_is_refused_also_where_papers_were_drawn_before(monkeypatch: pytest.MonkeyPatch) -> None:
    # What importing WeasyPrint does to the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(Invalid, match="can’t be read"):
        PHOTOS.reencode(JPEG[: len(JPEG) // 2], "tags.jpg")


def test_an_empty_file_says_so() -> None:
    with pytest.raises(Invalid, match=r"tags.jpg is empty. Choose another photo"):
        PHOTOS.reencode(b"", "tags.jpg")


def test_a_second_file_hidden_behind_a_photo_is_not_kept() -> None:
    hidden = b"<script>alert(1)</script>PK\x03\x04 a zip"
    found = PHOTOS.reencode(JPEG + hidden, "tags.jpg")
    assert b"<script>" not in found.data
    assert b"PK\x03\x04" not in found.data
    assert found.data.endswith(b"\xff\xd9")


def test_a_damaged_photo_is_read_or_refused_and_never_breaks_the_portal() -> None:
    draw = random.Random(20418)
    for _ in range(150):
        data = bytearray(draw.choice([JPEG, WHOLE_HEIC, saved(picture(), "PNG"), saved(picture(), "WEBP")]))
        for _flip in range(draw.randint(1, 30)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with suppress(Invalid):
            assert PHOTOS.reencode(bytes(data), "tags.jpg").media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("tags.heic", "tags.heic"),
        ("C:\\fakepath\\tags.jpg", "tags.jpg"),
        ("../../etc/passwd", "passwd"),
        ("<img src=x onerror=alert(1)>.png", "img srcx onerroralert(1).png"),
        ("a\r\nb\0.jpg", "ab.jpg"),
        ("", "photo"),
        ("///", "photo"),
        ("фото.jpg", "фото.jpg"),
        ("x" * 300 + ".jpeg", "x" * 45 + "…" + "xxxxxxx.jpeg"),
    ],
)
def test_a_file_s_name_is_shown_without_anything_that_could_confuse(given: str, shown: str) -> None:
    assert short_name(given) == shown


def test_three_photos_for_an_item_are_enough() -> None:
    check_count(0, 3)
    check_count(2, 1)
    with pytest.raises(Invalid, match="up to 3 photos"):
        check_count(2, 2)
