"""Where Stripe's messages arrive: checked, kept, answered; worked on later."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, current_app, jsonify, request

from portal import clock
from portal.flow import Ports
from portal.refunds import webhooks

hooks = Blueprint("hooks", __name__, url_prefix="/hooks")
log = structlog.get_logger(__name__)
# Stripe's largest events are some tens of kilobytes; anything far above is not read to its end.
MAX_BYTES = 1024 * 1024


@hooks.post("/stripe")
def stripe() -> tuple[Response, int]:
    """200 when the message is kept (now or before), 400 when it is not Stripe's, 5xx when the database is down."""
    ports: Ports = current_app.extensions["portal"]
    request.max_content_length = MAX_BYTES
    body = request.get_data(cache=False)
    try:
        new = webhooks.store(
            ports.database,
            ports.config.stripe_webhook_secrets,
            body,
            request.headers.get("Stripe-Signature", ""),
            clock.now(),
        )
    except webhooks.Rejected as error:
        log.warning("a webhook was rejected", why=error.message)
        return jsonify(error=error.message), 400
    return jsonify(received=True, new=new), 200
