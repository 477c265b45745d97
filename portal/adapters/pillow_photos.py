"""Photos by Pillow and libheif: `portal.returns.photos.Photos`.

In: an upload. Out: a JPEG of our own. Invariants: only four decoders are ever tried; the size, and of how many parts a file
is made, are judged before a pixel is decoded. Never: a byte of metadata passed on.
"""

from __future__ import annotations

import io
import re
import struct
import threading
from pathlib import PurePosixPath

import pillow_heif
from flask_babel import gettext as _
from PIL import Image, ImageCms, ImageFile, ImageOps

from portal.errors import Invalid
from portal.returns.photos import KINDS, MAX_BYTES, MAX_LENGTH, MAX_PIXELS, MAX_SIDE, Encoded

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
QUALITY = 85
MOST_SCANS = 25
"""Passes over all pixels that one JPEG may ask for, a few bytes each; cameras and editors write 1 to 18."""
MOST_PARTS = 10_000
"""Segments of a JPEG or chunks of a PNG that may have to be read one by one; the largest photos have a few thousand."""
# Whatever has a length: no stuffed byte of pixels, no fill byte, none of the marks that stand alone between pixels.
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SRGB = ImageCms.createProfile("sRGB")

pillow_heif.register_heif_opener(thumbnails=False)

# A photo takes up to 500 MB while it is decoded: two at a time in one process are enough.
_decoding = threading.BoundedSemaphore(2)


class PillowPhotos:
    """See `Photos`."""

    def reencode(self, data: bytes, file_name: str) -> Encoded:
        """See `Photos.reencode`."""
        name = short_name(file_name)
        if len(data) > MAX_BYTES:
            raise _invalid(_("%(name)s is larger than 10 MB. Choose a smaller photo", name=name))
        if not data:
            raise _invalid(_("%(name)s is empty. Choose another photo", name=name))
        with _decoding:
            try:
                return _encode(data, name)
            except Invalid:
                raise
            except Exception as error:
                # Decoders answer a broken file with a dozen kinds of error, MemoryError and struct.error among them.
                message = _("%(name)s can’t be read as a photo. Choose a %(kinds)s file", name=name, kinds=KINDS)
                raise _invalid(message) from error


def short_name(file_name: str) -> str:
    """The last part of a file's name without anything that could confuse a page; ``photo`` when nothing is left."""
    last = PurePosixPath(file_name.replace("\\", "/")).name
    clean = re.sub(r"[^\w .()-]|[\x00-\x1f\x7f]", "", last).strip(" .") or "photo"
    return clean if len(clean) <= 60 else f"{clean[:45]}…{clean[-12:]}"


def _check_parts(data: bytes) -> None:
    """Raises ValueError for a file of more parts than a photo has: each costs the decoder time, and next to no bytes.

    WebP reads its chunks in no time, and libheif itself bounds the tiles of a HEIC.
    """
    if data.startswith(b"\xff\xd8"):
        _check_segments(data)
    elif data.startswith(b"\x89PNG"):
        _check_chunks(data)


def _check_segments(data: bytes) -> None:
    place, parts, scans = 2, 0, 0
    while (found := _SEGMENT.search(data, place)) and found[0] != b"\xff\xd9":
        # Before the first scan also what lies between two segments is read byte by byte.
        parts += 1 + (0 if scans else found.start() - place)
        scans += found[0] == b"\xff\xda"
        if scans > MOST_SCANS or parts > MOST_PARTS:
            raise ValueError("more parts than a photo has")
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2])


def _check_chunks(data: bytes) -> None:
    place, parts, profiles = 8, 0, 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        parts += 1
        # Each profile is unpacked, up to a megabyte of it.
        profiles += kind == b"iCCP"
        if profiles > 1 or parts > MOST_PARTS:
            raise ValueError("more parts than a photo has")
        place += length + 12


def _encode(data: bytes, name: str) -> Encoded:
    _check_parts(data)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        # The decoder calls a JPEG that carries further pictures, as some phones make them, an MPO; its first one is the photo.
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        if image.width * image.height > MAX_PIXELS[kind] or max(image.size) > MAX_LENGTH:
            message = _("%(name)s has too many pixels. Choose a smaller photo", name=name)
            raise _invalid(message)
        if kind == "JPEG":
            # The decoder itself halves the picture as often as it can: a quarter of the memory and time.
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        # WeasyPrint, once loaded, tells Pillow to show half a picture as a whole one, for the entire process.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        image.load()
        plain = _srgb(ImageOps.exif_transpose(_small(_eight_bits(image))))
    # A fresh picture holds pixels and nothing else, whatever a decoder has kept in `info`.
    clean = Image.new("RGB", plain.size, "white")
    clean.paste(plain)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return Encoded(out.getvalue(), "image/jpeg", clean.width, clean.height)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of sixteen bits in eight; Pillow's own conversion would cut all that is brighter than 255 of its 65,535 to white."""
    if image.mode not in ("I;16", "I"):
        return image
    # The one grey that a PNG may call transparent has no counterpart among 256.
    image.info.pop("transparency", None)
    return image.point(lambda value: value * (1 / 256) + 0).convert("L")


def _small(image: Image.Image) -> Image.Image:
    """The picture within `MAX_SIDE`, before anything is done that would take all its pixels a second time."""
    if max(image.size) <= MAX_SIDE:
        return image
    if image.mode not in ("L", "RGB", "RGBA", "CMYK", "LA"):
        # A palette, single bits and wide numbers have no colours in between.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB on white. Phones save wider colours, and "it's the wrong colour" is a reason to send something back."""
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        ground = Image.new("RGB", layered.size, "white")
        ground.paste(layered, mask=layered.getchannel("A"))
        return ground
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            turned = None  # a broken profile only says how to colour the pixels, which are fine
        if turned is not None:
            return turned
    return image.convert("RGB")


def _invalid(message: str) -> Invalid:
    return Invalid(message, {"photos": message})
