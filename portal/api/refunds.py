"""Refunds over all returns."""

from __future__ import annotations

from flask import Response

from portal.api.base import answer, api, call, ports
from portal.api.schemas import RefundsOut, RefundsQuery
from portal.refunds import queries


@api.get("/refunds")
@call("refunds:read", query=RefundsQuery, answers=RefundsOut)
def list_refunds(query: RefundsQuery) -> Response:
    """Refunds, newest first."""
    with ports().database.read() as session:
        rows, following = queries.list_refunds(
            session, status=query.status, cursor=query.cursor, limit=min(query.limit, queries.MAX_PAGE)
        )
        return answer({"refunds": [queries.refund_json(row) for row in rows], "next": following})
