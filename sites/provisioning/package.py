"""What is sent as the code of a function: a zip for Lambda, one small script for CloudFront.

The same input gives the same bytes, so that an unchanged function is not deployed again.
"""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import rjsmin
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = "requirements.txt"
# Zip has no earlier date, and Lambda does not look at it.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
# Compiled code runs on the machine it was made for, which is not Lambda's.
COMPILED = frozenset({".so", ".pyd", ".dylib"})
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions
MAX_SCRIPT = 10 * 1024  # bytes


class PackageError(Exception):
    """The package cannot be built; says which requirement is to blame and what to try."""


def script(path: Path) -> str:
    """The code of a CloudFront function, without comments and needless space.

    Raises PackageError when it is larger than CloudFront takes.
    """
    code: str = rjsmin.jsmin(path.read_text())
    # The import of the store as AWS documents it, to the letter: not all that reads it is a parser.
    code = code.replace("from'cloudfront'", "from 'cloudfront'")
    if (size := len(code.encode())) > MAX_SCRIPT:
        raise PackageError(
            f"{path}: minified it has {size:,} bytes, and a CloudFront function may have"
            f" {MAX_SCRIPT:,}. Make it shorter."
        )
    return code


def build(function_dir: Path) -> bytes:
    """The zip of a folder and of what its requirements name, for ``Code={"ZipFile": ...}``.

    A file of the folder that its owner may execute is 0755 in the zip, everything else 0644.
    Raises PackageError when a requirement is not installed here or is not pure Python.
    """
    files: dict[str, Path] = {}
    requirements = function_dir / REQUIREMENTS
    if requirements.exists():
        for found in _closure(requirements):
            files |= _files_of(found)
    for path in function_dir.rglob("*"):
        name = path.relative_to(function_dir).as_posix()
        if path.is_file() and "__pycache__" not in name:
            files[name] = path

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.create_system = 3  # Unix, else the mode is not read
            mode = 0o755 if files[name].stat().st_mode & 0o100 else 0o644
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name].read_bytes())
    return buffer.getvalue()


def _closure(requirements: Path) -> list[Distribution]:
    """The installed distributions that the file names, and those that they need."""
    lines = (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())
    waiting = [(line, str(requirements)) for line in lines if line]
    found: dict[str, Distribution] = {}
    while waiting:
        line, needed_by = waiting.pop()
        requirement = _parse(line, needed_by)
        name = canonicalize_name(requirement.name)
        # No extra is asked for, so a requirement that depends on one is not ours.
        if name in found or not _applies(requirement):
            continue
        found[name] = _installed(requirement, needed_by)
        waiting += [(line, name) for line in found[name].requires or []]
    return list(found.values())


def _parse(line: str, needed_by: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise PackageError(
            f"{needed_by}: {line!r} is not a requirement; write it as in “pg8000>=1.31”."
        ) from error


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _installed(requirement: Requirement, needed_by: str) -> Distribution:
    try:
        found = distribution(requirement.name)
    except PackageNotFoundError as error:
        raise PackageError(
            f"{needed_by}: {requirement} is not installed, so it cannot be packed."
            f" Install it into this environment, or take it out of {REQUIREMENTS}."
        ) from error
    if not requirement.specifier.contains(found.version, prereleases=True):
        raise PackageError(
            f"{needed_by}: asks for {requirement}, but {found.version} is installed."
            " Install a version that fits."
        )
    return found


def _files_of(found: Distribution) -> dict[str, Path]:
    """What an import needs: the modules, and METADATA, where packages look up their version."""
    files = {}
    for path in found.files or []:
        if path.suffix in COMPILED:
            raise PackageError(
                f"{found.name}: {path} is compiled for this machine, and Lambda's is another one."
                " Pure Python alone can be packed."
            )
        if _is_needed(path):
            files[path.as_posix()] = Path(str(path.locate()))
    return files


def _is_needed(path: PurePosixPath) -> bool:
    if ".." in path.parts or {"test", "tests", "__pycache__"} & {*path.parts}:
        return False
    if path.parts[0].endswith(".dist-info"):
        return path.name == "METADATA"
    return path.suffix in {".py", ".txt"}
