"""One page that says what the words and keys mean; the help link leads to it from everywhere."""

from __future__ import annotations

from flask import render_template

from portal.staff import permissions as may
from portal.web.staff.base import needs, staff


@staff.get("/help")
@needs(may.SEE_RETURNS)
def help_page() -> str:
    """The page."""
    return render_template("staff/help.html")
