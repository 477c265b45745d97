"""A post office for notices: the sample shop, a mailer that can be told to fail, and papers that cost nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portal import shop
from portal.adapters.folder_files import FolderFiles
from portal.config import ROOT, Config
from portal.db import Database
from portal.files import Files
from portal.flow import make_river
from portal.labels.documents import Documents, LabelDoc, Rendered, SlipDoc
from portal.notices.mailer import OutgoingMail
from portal.notices.mime import compose
from portal.shop import Shop
from tests.stages.returns import trade


@dataclass
class ScriptedMailer:
    """Keeps what was accepted; raises the next of ``failures`` first, ``after`` saying whether it had the mail by then."""

    failures: list[tuple[Exception, bool]] = field(default_factory=list)
    accepted: list[OutgoingMail] = field(default_factory=list)
    tries: int = 0

    def send(self, mail: OutgoingMail) -> None:
        compose(mail)
        self.tries += 1
        if self.failures:
            error, after = self.failures.pop(0)
            if after:
                self.accepted.append(mail)
            raise error
        self.accepted.append(mail)


@dataclass
class PlainDocuments:
    """Papers as their own description."""

    error: Exception | None = None
    drawn: list[LabelDoc | SlipDoc] = field(default_factory=list)
    missing: frozenset[str] = frozenset()

    def _draw(self, doc: LabelDoc | SlipDoc) -> Rendered:
        if self.error is not None:
            raise self.error
        self.drawn.append(doc)
        return Rendered(b"%PDF " + repr(doc).encode(), self.missing)

    def label_pdf(self, doc: LabelDoc) -> Rendered:
        return self._draw(doc)

    def slip_pdf(self, doc: SlipDoc) -> Rendered:
        return self._draw(doc)

    def missing_glyphs(self, text: str) -> frozenset[str]:
        return frozenset()

    def check(self) -> list[str]:
        return []


@dataclass
class PostOffice:
    """Has what `notices.send` and the label jobs need."""

    database: Database
    shop: Shop
    config: Config
    mailer: ScriptedMailer
    documents: Documents
    files: Files


@pytest.fixture(scope="session")
def sample_shop() -> Shop:
    return shop.load(ROOT / "policies" / "shop.yaml")


@pytest.fixture
def post(database: Database, sample_shop: Shop, tmp_path: Path) -> PostOffice:
    """On SQLite, with the river running."""
    database.river = make_river(sample_shop)
    config = Config(
        secret_key="k" * 32,
        base_url="https://returns.example",
        mail_from="Wren & Harbour <returns@wrenandharbour.example>",
    )
    return PostOffice(
        database, sample_shop, config, ScriptedMailer(), PlainDocuments(), FolderFiles(tmp_path / "files")
    )


@pytest.fixture
def book(post: PostOffice) -> trade.Book:
    return trade.open_shop(post.database)
