"""Faults on demand: what goes wrong with the next requests that match.

Each kind is something a network or Stripe really does; `when` says whether it happens before or after the effect.
"""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass, field
from typing import Any

from .errors import ApiError, Obj

KINDS: dict[str, str] = {
    "drop_before": "the connection is closed, nothing was done",
    "timeout_after": "all is done and saved under the key, the answer never comes (hang_ms, then the connection is closed)",
    "error": "500 before the effect (default) or after it (when); the 500 is saved under the key for ever",
    "gateway": "502, 503 or 504 (status), before the effect (default) or after it (when); the key keeps the true answer, if any",
    "conflict": "409 idempotency_key_in_use, nothing was done",
    "rate_limit": "429 with Retry-After (retry_after seconds) and Stripe-Rate-Limited-Reason (reason), nothing was done",
    "answer": "any status with any error (status, error), nothing was done and nothing is saved",
    "delay": "ms of waiting before the effect (default) or after it (when), the key in use meanwhile",
    "hold": "waits before the effect (default) or after it (when) until released, at most 60 s, the key in use meanwhile",
    "malformed": "all is done, the answer's JSON breaks off in the middle",
    "truncated": "all is done, the connection closes in the middle of the answer",
}
_FIELDS: dict[str, tuple[type, ...]] = {
    "kind": (str,), "method": (str,), "path": (str,), "params": (dict,), "times": (int,), "skip": (int,), "when": (str,),
    "status": (int,), "error": (dict,), "ms": (int,), "hang_ms": (int,), "retry_after": (int,), "reason": (str,),
    "headers": (dict,),
}  # fmt: skip


@dataclass
class Fault:
    """One fault that was asked for; ``times`` counts down (-1: always), ``skip`` lets matching requests pass first."""

    id: int
    wanted: Obj
    times: int
    skip: int
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> str:
        return str(self.wanted["kind"])

    def get(self, name: str, default: Any) -> Any:
        return self.wanted.get(name, default)

    def hold(self) -> None:
        """Stay until released."""
        self.waiting += 1
        self.released.wait(60)
        self.waiting -= 1


class Faults:
    """The faults asked for, in the order in which they were; the first that matches a request is used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._made = 0

    def add(self, wanted: Obj) -> Obj:
        """Ask for one. Raises ApiError naming what is unknown or of the wrong type."""
        for name, value in wanted.items():
            if name not in _FIELDS:
                raise ApiError(f"Unknown field {name!r}; there are: {', '.join(_FIELDS)}.", param=name)
            if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
                raise ApiError(f"{name} must be a {_FIELDS[name][0].__name__}.", param=name)
        if wanted.get("kind") not in KINDS:
            raise ApiError(f"kind must be one of {', '.join(KINDS)}.", param="kind")
        if wanted.get("when", "before") not in ("before", "after"):
            raise ApiError("when must be before or after: on which side of the effect the fault happens.", param="when")
        with self._lock:
            self._made += 1
            fault = Fault(self._made, wanted, wanted.get("times", 1), wanted.get("skip", 0))
            self._faults.append(fault)
            return _show(fault)

    def take(self, method: str, path: str, params: Obj) -> Fault | None:
        """The fault for this request, counted as used."""
        with self._lock:
            for fault in self._faults:
                if fault.times == 0 or not _matches(fault, method, path, params):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times > 0:
                    fault.times -= 1
                return fault
        return None

    def show_all(self) -> list[Obj]:
        with self._lock:
            return [_show(fault) for fault in self._faults]

    def release(self, id_: int | None = None) -> int:
        """Let held requests go on: those of one fault, or all. Answers how many were waiting."""
        with self._lock:
            chosen = [fault for fault in self._faults if fault.kind == "hold" and id_ in (None, fault.id)]
            waiting = sum(fault.waiting for fault in chosen)
            for fault in chosen:
                fault.released.set()
            return waiting

    def clear(self) -> None:
        """Forget all of them; held requests go on."""
        self.release()
        with self._lock:
            self._faults = []


def _matches(fault: Fault, method: str, path: str, params: Obj) -> bool:
    asked = fault.get("method", "*").upper()
    return (
        asked in ("*", method)
        and fnmatch.fnmatchcase(path, fault.get("path", "*"))
        and all(params.get(name) == value for name, value in fault.get("params", {}).items())
    )


def _show(fault: Fault) -> Obj:
    return {**fault.wanted, "id": fault.id, "times": fault.times, "skip": fault.skip, "waiting": fault.waiting}
