"""Refunds over all returns."""

from __future__ import annotations

from flask import Response

from portal.api.answers import RefundsOut
from portal.api.base import answer, api, call, ports
from portal.api.schemas import RefundsQuery
from portal.refunds import listing


@api.get("/refunds")
@call("refunds:read", query=RefundsQuery, answers=RefundsOut)
def list_refunds(query: RefundsQuery) -> Response:
    """Refunds, newest first."""
    with ports().database.read() as session:
        rows, following = listing.list_refunds(
            session, status=query.status, order=query.order, email=query.email, cursor=query.cursor, limit=query.limit
        )
        return answer({"refunds": [listing.refund_json(row) for row in rows], "next": following})
