"""One error tree. Each branch says what the edge answers; nothing else maps errors to HTTP.

In: a sentence for the person who caused it. Out: an exception the edge turns into a page, a problem document or an exit code.
Never: a policy's "no" (that is a value, `policy.decision.Decision`), nor a bug (those stay ordinary exceptions).
"""

from __future__ import annotations

from collections.abc import Mapping


class PortalError(Exception):
    """Something a person can understand and act on."""

    status = 500
    code = "error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details


class Invalid(PortalError):
    """The request makes no sense. ``fields`` maps a JSON pointer or a field name to what to do about it."""

    status = 422
    code = "invalid"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None, **details: object) -> None:
        super().__init__(message, **details)
        self.fields: dict[str, str] = dict(fields or {})


class NotFound(PortalError):
    """No such thing, or it belongs to somebody else; the two are never told apart."""

    status = 404
    code = "not_found"


class Forbidden(PortalError):
    """Known, but this person or token may not do it. ``fields`` names what must be left out, where leaving it out helps."""

    status = 403
    code = "forbidden"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None, **details: object) -> None:
        super().__init__(message, **details)
        self.fields: dict[str, str] = dict(fields or {})


class Conflict(PortalError):
    """The thing is not in the state the command was made for. ``state`` is the state that was found."""

    status = 409
    code = "conflict"

    def __init__(self, message: str, state: str | None = None, **details: object) -> None:
        super().__init__(message, **details)
        self.state = state


class TooManyTries(PortalError):
    """A rate limit was reached. ``retry_after`` is in whole seconds."""

    status = 429
    code = "too_many_tries"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConfigError(PortalError):
    """A setting is missing, unknown or unsafe; the start stops with one line each."""

    code = "config"


class UpstreamError(PortalError):
    """Another system (Stripe, a mail server, a carrier) refused or did not answer.

    ``code`` is the vendor's own word for staff, ``retryable`` says whether the same request may be sent again,
    ``public_message`` is safe to show to a customer, ``effect_unknown`` means that the request may have taken effect,
    ``slow_down`` that the other system asks everybody here to be silent (for ``retry_after`` seconds), not this request alone.
    """

    status = 502

    def __init__(
        self,
        code: str,
        *,
        retryable: bool,
        public_message: str,
        staff_message: str = "",
        effect_unknown: bool = False,
        retry_after: float | None = None,
        slow_down: bool = False,
    ) -> None:
        super().__init__(staff_message or public_message)
        self.code = code
        self.retryable = retryable
        self.public_message = public_message
        self.staff_message = staff_message or public_message
        self.effect_unknown = effect_unknown
        self.retry_after = retry_after
        self.slow_down = slow_down
