"""Where a form was written: by a page of this site, or by another one."""

from __future__ import annotations

from flask import request


def from_here() -> bool:
    """False for a form of another site, which shows and keeps nothing here: browsers name the origin of each form."""
    here = request.host_url.rstrip("/")
    return request.headers.get("Origin", here).rstrip("/") == here
