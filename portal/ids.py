"""Numbers and codes that people read, type and scan.

In: random bytes. Out: short codes in Crockford's base 32 (no I, L, O, U), the last sign a check sign.
Invariant: one wrong sign or two swapped neighbours never make another valid code. Never: anything that tells how many there are.
"""

from __future__ import annotations

import secrets
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {sign: value for value, sign in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_PRIME = 31


def _check_sign(body: str) -> str:
    # Weights 1..n modulo a prime above the length catch every single slip and every swap of neighbours, except that the
    # values 0 and 31 fall together modulo 31, so the last sign of the alphabet is not drawn.
    total = sum(weight * _VALUES[sign] for weight, sign in enumerate(body, start=1))
    return ALPHABET[total % _PRIME]


def new_code(length: int) -> str:
    """A random code of ``length`` signs, its check sign included."""
    body = "".join(secrets.choice(ALPHABET[:_PRIME]) for _ in range(length - 1))
    return body + _check_sign(body)


def _folded(text: str) -> str:
    """Capitals of the usual width, one kind of dash, nothing that nobody sees."""
    wide = unicodedata.normalize("NFKC", text).upper()
    kinds = ((sign, unicodedata.category(sign)) for sign in wide)
    return "".join("-" if kind == "Pd" or sign == "\N{MINUS SIGN}" else sign for sign, kind in kinds if kind != "Cf")


def read_code(text: str) -> str | None:
    """``text`` as a person typed or a scanner read it, put into the canonical form; None if it is no valid code."""
    signs = [sign for sign in _folded(text) if not sign.isspace() and sign not in "-_."]
    if len(signs) < 3 or any(sign not in _VALUES for sign in signs):
        return None
    code = "".join(ALPHABET[_VALUES[sign]] for sign in signs)
    return code if _check_sign(code[:-1]) == code[-1] else None


def new_rma() -> str:
    """A return number such as ``R-7K4Q92M``: five random signs of thirty-one, drawn again by the caller on a collision."""
    return "R-" + new_code(7)


def read_rma(text: str) -> str | None:
    """A return number as typed or scanned (spaces, case, any dash or none forgiven), or None."""
    stripped = _folded(text).strip().lstrip("# ")
    if stripped[:1] != "R":
        return None
    code = read_code(stripped[1:])
    return f"R-{code}" if code and len(code) == 7 else None


def group(code: str, size: int = 4) -> str:
    """``7K4Q92MB`` as ``7K4Q 92MB``, for reading aloud."""
    return " ".join(code[start : start + size] for start in range(0, len(code), size))


def new_token() -> str:
    """An unguessable token, 256 bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def is_text(text: str) -> bool:
    """True when every database can hold it: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
