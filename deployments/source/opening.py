"""The way from what a person names to a folder of files that may be published."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.source.archive import extract
from deployments.source.rules import SourceRefused
from deployments.source.tree import check


@contextmanager
def open_source(path: Path) -> Iterator[Path]:
    """The folder to publish: ``path`` itself, or where the zip archive is unpacked meanwhile.

    Raises SourceRefused with a sentence for people.
    """
    try:
        if path.is_dir():
            _check(path, path)
            yield path
        elif not path.exists():
            raise SourceRefused(f"There is no {path}; name a folder or a .zip file.")
        elif not zipfile.is_zipfile(path):
            raise SourceRefused(f"{path} is neither a folder nor a zip archive; name one of these.")
        else:
            with tempfile.TemporaryDirectory(prefix="cloudadmin-source-") as folder:
                root = extract(path, Path(folder))
                _check(root, path)
                yield root
    except PermissionError as error:
        raise SourceRefused(f"{error.filename} cannot be read; check its permissions.") from error


def _check(root: Path, named: Path) -> None:
    try:
        check(root)
    except SourceRefused as refused:
        raise SourceRefused(f"{named} cannot be deployed: {refused}") from None
