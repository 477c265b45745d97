"""Mail into a folder: `portal.notices.mailer.Mailer` for trying the portal out and for tests.

In: an `OutgoingMail`. Out: one ``.eml`` file named by its Message-ID. Invariants: a file is whole or not there; the same
Message-ID twice is one file. Never: a file outside the folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from portal.errors import UpstreamError
from portal.ids import new_token
from portal.notices.mailer import OutgoingMail
from portal.notices.mime import compose


class FolderMailer:
    """Writes each mail as a file that any mail program opens."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def send(self, mail: OutgoingMail) -> None:
        """See `Mailer.send`."""
        data = compose(mail).as_bytes()
        path = self.folder / (re.sub(r"[^A-Za-z0-9._@-]", "_", mail.message_id.strip("<>")).lstrip(".") + ".eml")
        if path.exists():
            return
        partial = self.folder / f".{new_token()}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise UpstreamError(
                "mail_folder",
                retryable=True,
                public_message="The e-mail couldn’t be sent yet. We’ll try again.",
                staff_message=f"The mail folder {self.folder} cannot be written: {error}",
            ) from error
