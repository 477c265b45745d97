"""For machines that watch the portal: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import hmac

from flask import Flask, Response, jsonify, request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from portal import clock, edge, jobs
from portal.flow import Ports
from portal.refunds.models import Refund
from portal.returns.models import Return
from portal.reviews.models import Review


def register(app: Flask, ports: Ports) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        found = edge.readiness(ports.database, ports.schema_head)
        return jsonify(found), 200 if set(found.values()) == {"ok"} else 503

    @app.get("/metrics")
    def metrics() -> Response:
        if wanted := ports.config.metrics_token:
            kind, _, sent = request.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), wanted.encode()):
                why = "Send `Authorization: Bearer` with the token of PORTAL_METRICS_TOKEN.\n"
                return Response(why, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        # Everything is read from the database at the moment of asking, so that any number of web processes tells the same.
        registry = CollectorRegistry()
        with ports.database.read() as session:
            for name, help_, column in (
                ("portal_returns", "Returns by status", Return.status),
                ("portal_refunds", "Refunds by status", Refund.status),
                ("portal_jobs", "Jobs by state", jobs.Job.state),
            ):
                gauge = Gauge(name, help_, ["status"], registry=registry)
                for status, count in session.execute(select(column, func.count()).group_by(column)):
                    gauge.labels(status).set(count)
            open_reviews = select(func.count()).select_from(Review).where(Review.open_key.is_not(None))
            Gauge("portal_reviews_open", "Questions that wait for staff", registry=registry).set(
                session.scalar(open_reviews) or 0
            )
            beat = jobs.last_beat(session)
        age = (clock.now() - beat).total_seconds() if beat else float("inf")
        Gauge("portal_worker_silence_seconds", "Since any worker was seen", registry=registry).set(age)
        return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")
