"""What a file is, told by its name."""

from __future__ import annotations

import mimetypes
import re
from functools import cache

# XML says its own encoding, which a charset here would overrule (RFC 7303, section 3.2).
WITH_CHARSET = re.compile(r"text/(?!xml$)|application/(?:\w+\+)?json$")


def _with_charset(content_type: str) -> str:
    is_text = WITH_CHARSET.match(content_type)
    return f"{content_type}; charset=utf-8" if is_text else content_type


# One table, because what the operating system says differs from machine to machine.
CONTENT_TYPES = {
    suffix: _with_charset(content_type)
    for content_type, suffixes in {
        "application/atom+xml": "atom",
        "application/gzip": "gz tgz",
        "application/json": "json map",
        "application/ld+json": "jsonld",
        "application/manifest+json": "webmanifest",
        "application/pdf": "pdf",
        "application/rss+xml": "rss",
        "application/wasm": "wasm",
        "application/x-tar": "tar",
        "application/xhtml+xml": "xhtml",
        "application/xml": "xml xsl",
        "application/zip": "zip",
        "audio/flac": "flac",
        "audio/mp4": "m4a",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg oga opus",
        "audio/wav": "wav",
        "font/collection": "ttc",
        "font/otf": "otf",
        "font/ttf": "ttf",
        "font/woff": "woff",
        "font/woff2": "woff2",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/heic": "heic",
        "image/jpeg": "jpg jpeg",
        "image/jxl": "jxl",
        "image/png": "png apng",
        "image/svg+xml": "svg",
        "image/tiff": "tif tiff",
        "image/vnd.microsoft.icon": "ico cur",
        "image/webp": "webp",
        "model/gltf-binary": "glb",
        "model/gltf+json": "gltf",
        "text/calendar": "ics",
        "text/css": "css",
        "text/csv": "csv",
        "text/html": "html htm",
        "text/javascript": "js mjs cjs",
        "text/markdown": "md markdown",
        "text/plain": "txt text log asc",
        "text/vcard": "vcf",
        "text/vtt": "vtt",
        "video/mp4": "mp4 m4v",
        "video/ogg": "ogv",
        "video/quicktime": "mov",
        "video/webm": "webm",
    }.items()
    for suffix in suffixes.split()
}
# Files of .well-known/ that have no suffix and are JSON.
# https://www.iana.org/assignments/well-known-uris/well-known-uris.xhtml
WELL_KNOWN_JSON = frozenset(
    {
        "apple-app-site-association",
        "client",  # matrix/client
        "nodeinfo",
        "oauth-authorization-server",
        "oauth-protected-resource",
        "openid-configuration",
        "server",  # matrix/server
        "webfinger",
    }
)


def content_type(path: str) -> str:
    """By the name alone: nothing is guessed from the content."""
    folder, _, name = path.rpartition("/")
    suffix = suffix_of(name)
    if found := CONTENT_TYPES.get(suffix):
        return found
    if not suffix and ".well-known" in folder.split("/"):
        # ACME's answers, security contacts and the like are plain text.
        return _with_charset("application/json" if name in WELL_KNOWN_JSON else "text/plain")
    return _with_charset(_mime_types().guess_type(name)[0] or "application/octet-stream")


def suffix_of(name: str) -> str:
    """Of a file's name without its folder, in lower case, without the dot; ".htaccess" has none."""
    stem, _, suffix = name.rpartition(".")
    return suffix.lower() if stem.strip(".") else ""


@cache
def _mime_types() -> mimetypes.MimeTypes:
    """Python's own table, without what the machine's files add to it."""
    return mimetypes.MimeTypes()
