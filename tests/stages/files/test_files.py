"""Kept files come back whole, are never half-written, and no key leads out of the folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from portal.adapters.folder_files import FolderFiles
from portal.adapters.obstore_files import ObstoreFiles
from portal.errors import NotFound, UpstreamError
from portal.files import Files

KEY = "labels/abcdefgh.pdf"


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return FolderFiles(tmp_path / "files") if request.param == "folder" else ObstoreFiles("memory:///")


def test_what_was_put_comes_back_and_a_second_put_replaces_it(files: Files) -> None:
    files.put(KEY, b"\x00one")
    assert files.get(KEY) == b"\x00one"
    files.put(KEY, b"two")
    assert files.get(KEY) == b"two"
    files.put("photos/ABCD_efgh-1.jpg", b"")
    assert files.get("photos/ABCD_efgh-1.jpg") == b""


def test_an_unknown_key_is_not_found_and_deleting_it_is_no_error(files: Files) -> None:
    with pytest.raises(NotFound):
        files.get(KEY)
    files.delete(KEY)
    files.put(KEY, b"x")
    files.delete(KEY)
    with pytest.raises(NotFound):
        files.get(KEY)


@pytest.mark.parametrize(
    "key",
    ["../labels/abcdefgh.pdf", "/etc/passwd", "labels/../../abcdefgh.pdf", "labels/..", "labels", "", "labels/short.pdf",
     "labels/abcdefgh", "labels//abcdefgh.pdf", "labels/abcdefgh.pdf\n", "labels/abcdefgh.pdf\0.png", "a/b/abcdefgh.pdf",
     "labels\\abcdefgh.pdf", "labels/абвгдежз.pdf", "LABELS/abcdefgh.pdf", "labels/.abcdefgh.pdf"],
)  # fmt: skip
def test_any_other_key_is_refused_before_the_disk_is_touched(files: Files, key: str) -> None:
    for use in (lambda: files.put(key, b"x"), lambda: files.get(key), lambda: files.delete(key)):
        with pytest.raises(ValueError, match="no key"):
            use()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path)
    files.put(KEY, b"old")
    with pytest.raises(TypeError):
        files.put(KEY, "no bytes")  # type: ignore[arg-type]
    assert files.get(KEY) == b"old"
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["abcdefgh.pdf"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    files, versions = FolderFiles(tmp_path), [bytes([letter]) * 200_000 for letter in b"ab"]
    files.put(KEY, versions[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(files.get(KEY))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        files.put(KEY, versions[turn % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)


def test_a_bucket_that_cannot_be_reached_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "eu-west-2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    from obstore.store import S3Store

    files = ObstoreFiles("s3://returns/files")
    files._store = S3Store("returns", retry_config={"max_retries": 0})
    with pytest.raises(UpstreamError) as caught:
        files.get(KEY)
    assert caught.value.retryable
    assert "y" not in caught.value.public_message.split()
