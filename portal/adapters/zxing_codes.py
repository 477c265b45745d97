"""Codes drawn by zxing-cpp: `portal.labels.documents.Codes`."""

from __future__ import annotations

import io
from typing import Literal

import zxingcpp
from PIL import Image

from portal.errors import Invalid

QR_QUIET = 4
CODE128_QUIET = 10


class ZxingCodes:
    """Draws each code at one pixel a module and only ever repeats pixels, so that no edge falls between two
    dots.
    """

    def qr_png(self, text: str, module_px: int = 6) -> bytes:
        """See `Codes.qr_png`."""
        return _png(self._qr(text), module_px, module_px)

    def qr_svg(self, text: str, module_px: int = 6) -> str:
        """See `Codes.qr_svg`.

        One path of horizontal runs, presentation attributes only, as the pages' CSP wants it.
        """
        modules = self._qr(text)
        side = modules.width
        pixels = modules.tobytes()
        runs: list[str] = []
        for y in range(side):
            x = 0
            while x < side:
                start = x
                while x < side and not pixels[y * side + x]:
                    x += 1
                if x > start:
                    runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
                x += 1
        size = side * module_px
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {side} {side}" '
            f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
            f'<path fill="#000" d="{"".join(runs)}"/></svg>'
        )

    def code128_png(self, text: str, module_px: int = 3, height_px: int = 200) -> bytes:
        """See `Codes.code128_png`."""
        return _png(self._code128(text), module_px, height_px)

    def qr_grey(self, text: str, module_px: int) -> tuple[bytes, int]:
        """The QR code for a PDF, and its width in pixels. Eight bits a pixel, as WeasyPrint turns one bit into colour."""
        modules = self._qr(text)
        return _png(modules, module_px, module_px, mode="L"), modules.width * module_px

    def code128_grey(self, text: str, module_px: int) -> tuple[bytes, int]:
        """The Code 128 for a PDF, and its width in pixels. One pixel high: stretched along the bars nothing can blur."""
        modules = self._code128(text)
        return _png(modules, module_px, 1, mode="L"), modules.width * module_px

    def _qr(self, text: str) -> Image.Image:
        if not text:
            raise Invalid("A QR code needs a text.", {"text": "Give the text that the code shall hold."})
        # Outside ASCII the code must say which alphabet it is in, or readers guess differently ("¡" came back as "｡").
        alphabet = {} if text.isascii() else {"eci": "UTF-8"}
        try:
            drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M", **alphabet)
        except (ValueError, RuntimeError) as error:  # a lone surrogate is a RuntimeError from the C++ side
            raise Invalid(
                f"This text of {len(text)} signs cannot become a QR code.",
                {"text": "Shorten it to at most 1,000 signs of valid Unicode."},
            ) from error
        return _quiet(_modules(drawn), QR_QUIET, QR_QUIET)

    def _code128(self, text: str) -> Image.Image:
        # The symbology itself reaches Latin-1, but scanners in warehouses type what they read: only ASCII
        # survives that.
        if not text or not all(" " <= sign <= "~" for sign in text):
            raise Invalid(
                "A Code 128 holds printable ASCII only.", {"text": "Use letters A to Z, digits and plain punctuation."}
            )
        try:
            drawn = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
        except ValueError as error:
            raise Invalid(
                f"This text of {len(text)} signs cannot become a Code 128.", {"text": "Shorten it to at most 80 signs."}
            ) from error
        modules = _modules(drawn)
        return _quiet(modules.crop((0, 0, modules.width, 1)), CODE128_QUIET, 0)


def _modules(drawn: zxingcpp.Barcode) -> Image.Image:
    image = drawn.to_image(scale=1, add_quiet_zones=False)
    height, width = image.shape
    return Image.frombytes("L", (width, height), bytes(memoryview(image)))  # type: ignore[arg-type]


def _quiet(modules: Image.Image, across: int, down: int) -> Image.Image:
    clear = Image.new("L", (modules.width + 2 * across, modules.height + 2 * down), 255)
    clear.paste(modules, (across, down))
    return clear


def _png(modules: Image.Image, across: int, down: int, mode: Literal["1", "L"] = "1") -> bytes:
    if across < 1 or down < 1:
        raise Invalid("A code's module is at least one pixel.", {"module_px": "Give a whole number from 1."})
    size = (modules.width * across, modules.height * down)
    out = io.BytesIO()
    modules.resize(size, Image.Resampling.NEAREST).convert(mode, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()
