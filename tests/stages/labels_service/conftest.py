"""The post office of the notices' tests, with papers that are really drawn."""

from __future__ import annotations

import pytest

from portal.adapters.weasyprint_documents import WeasyprintDocuments
from tests.stages.notices.conftest import PostOffice, book, post, sample_shop

__all__ = ["book", "post", "sample_shop"]


@pytest.fixture(scope="session")
def documents() -> WeasyprintDocuments:
    return WeasyprintDocuments()


@pytest.fixture
def printing(post: PostOffice, documents: WeasyprintDocuments) -> PostOffice:
    """With WeasyPrint instead of plain papers."""
    post.documents = documents
    return post
