"""Files in a bucket: `portal.files.Files` over obstore (S3 and what speaks like it).

In: ``s3://bucket/prefix``; keys and regions come from the usual ``AWS_*`` variables. Out: the same bytes. Invariant: a put is
whole or not there. Never: loaded unless ``PORTAL_STORAGE_URL`` asks for it; it is the optional extra ``s3``.
"""

from __future__ import annotations

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from portal.errors import NotFound, UpstreamError
from portal.files import check_key


class ObstoreFiles:
    """One object for each key."""

    def __init__(self, url: str) -> None:
        self._store = from_url(url)

    def put(self, key: str, data: bytes) -> None:
        """See `Files.put`. Raises `UpstreamError` when the bucket cannot be reached."""
        check_key(key)
        try:
            obstore.put(self._store, key, data)
        except (BaseError, OSError) as error:
            raise _failed(error) from error

    def get(self, key: str) -> bytes:
        """See `Files.get`. Raises `UpstreamError` when the bucket cannot be reached."""
        check_key(key)
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            raise NotFound("This file is not there any more.") from None
        except (BaseError, OSError) as error:
            raise _failed(error) from error

    def delete(self, key: str) -> None:
        """See `Files.delete`. Raises `UpstreamError` when the bucket cannot be reached."""
        check_key(key)
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _failed(error) from error


def _failed(error: Exception) -> UpstreamError:
    return UpstreamError(
        "storage",
        retryable=True,
        public_message="We couldn’t reach our file storage. Nothing was lost. Try again in a minute.",
        staff_message=f"The file storage failed: {type(error).__name__}: {str(error).splitlines()[0][:300]}",
    )
