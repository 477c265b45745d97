"""Property tests are about values, not about how fast a shared machine happens to be: no deadline per example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("pure", deadline=None)
settings.load_profile("pure")
