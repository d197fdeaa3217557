"""Which object a path means in each release: the values of a site's KeyValueStore.

A bucket's value is a row of records, 35 characters each: digest of the path (9), release in base 36
(4), object hash (22; dots for "deleted"). The record that counts is the newest whose release is not
above the head's. ``lambda_src/router/router.js`` reads what this module writes.

Limits of the store: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
"""

from __future__ import annotations

import hashlib
import json
import string
from binascii import b2a_base64
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NoReturn

MAX_VALUE = 1024
MAX_STORE = 5_000_000
MAX_KEYS_PER_CALL = 50
MAX_BYTES_PER_CALL = 3_000_000
MAX_RELEASE = 36**4 - 1

DIGEST, RELEASE, HASH = 9, 4, 22
RECORD = DIGEST + RELEASE + HASH
TOMBSTONE = "." * HASH
# Records of a bucket when an index is written anew; 29 fit, so there is room to grow.
FILL = 8
# Buckets that the fullest store does not overflow: an index of so many grows where it is, and never
# needs a second generation beside it, for which there would be no room. It costs more calls to
# write, so only an index of more than NARROW_MOST records has them. So many still leave room for a
# new generation of 100,000.
WIDE = 12_288
NARROW_MOST = 36_000
# An index is written anew in so many parts: what is worked out of each record takes several times
# its room.
PARTS = 64

BASE36 = string.digits + string.ascii_lowercase
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
URL_SAFE = bytes.maketrans(b"+/", b"-_")
VALUE_OF = {digit: value for value, digit in enumerate(BASE64)}


class IndexFull(Exception):
    """The records do not fit into one KeyValueStore."""


class DigestCollision(Exception):
    """Two paths have one digest, so the edge could not tell them apart."""


@dataclass(frozen=True)
class Index:
    """One generation: ``values`` maps a bucket's number to its records; empty ones are left out."""

    generation: int = 1
    buckets: int = 1
    values: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """``puts`` turn the store from the old index into ``index``.

    ``reachable`` are the releases that a head may name from now on: those asked for, less the ones
    that were given up for room. What is not in it must never be asked for again.
    """

    index: Index
    puts: dict[str, str]
    rebuilt: bool
    reachable: frozenset[int]


def digest(path: str) -> str:
    """What stands for a path, without leading slash, in a record: 54 bits of SHA-256."""
    raw = hashlib.sha256(path.encode()).digest()
    return b2a_base64(raw[:9], newline=False).translate(URL_SAFE)[:DIGEST].decode()


def bucket_of(path_digest: str, buckets: int) -> int:
    """Computed from the record alone, so that buckets can be split without the paths."""
    number = 0
    for digit in path_digest[:3]:
        number = number * 64 + VALUE_OF[digit]
    return number % buckets


def base36(number: int) -> str:
    """Lower-case, without padding: ``(36).toString(36)`` of JavaScript."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = BASE36[digit] + digits
    return digits


def release_key(release: int) -> str:
    """Four digits, so that the order of strings is the order of numbers."""
    if not 0 <= release <= MAX_RELEASE:
        raise ValueError(f"release {release} is not between 0 and {MAX_RELEASE}")
    return base36(release).rjust(RELEASE, "0")


def bucket_key(generation: int, number: int) -> str:
    return f"{base36(generation)}:{number}"


def parse_bucket_key(key: str) -> tuple[int, int]:
    """Generation and bucket's number of a key."""
    generation, number = key.split(":")
    return int(generation, 36), int(number)


def head(release: int, index: Index, flags: str = "") -> str:
    """The value of ``h:<host>``: flags are ``s`` SPA fallback, ``m`` maintenance, ``x`` noindex,
    ``a`` and ``n`` for trailing slashes always and never.
    """
    return json.dumps(
        {"r": release_key(release), "n": index.buckets, "g": index.generation, "f": flags},
        separators=(",", ":"),
    )


def redirect_head(host: str) -> str:
    """The value of ``h:<host>`` for a host that sends its visitors to another one."""
    return json.dumps({"to": host}, separators=(",", ":"))


def head_key(host: str) -> str:
    return f"h:{host}"


def answer(index: Index, path_digest: str, release: int) -> str | None:
    """The object hash that the edge answers for a path when the head names ``release``."""
    limit, newest, found = release_key(release), "", TOMBSTONE
    for record in _records(index.values.get(bucket_of(path_digest, index.buckets), "")):
        owner, number, object_hash = _fields(record)
        if owner == path_digest and newest < number <= limit:
            newest, found = number, object_hash
    return None if found == TOMBSTONE else found


def append(
    index: Index,
    release: int,
    wanted: Mapping[str, str],
    keep: Collection[str] = (),
    reachable: Collection[int] = (),
    if_room: Sequence[int] = (),
    occupied: int = 0,
) -> Change:
    """Add the records that make ``release`` answer ``wanted`` (path -> object hash), and no more.

    It is computed against what the index would answer at the new number, so records of failed or
    rolled-back releases count. Paths in ``keep`` that are not wanted answer what they did in the
    newest reachable release that had them; every other path gets a tombstone. Releases of
    ``reachable`` stay as they are; those of ``if_room``, most wanted first, as long as there is
    room. ``occupied`` are the bytes of the store that are not this generation's. Calling it twice
    adds nothing.

    Raises :class:`IndexFull` and :class:`DigestCollision`.
    """
    number = release_key(release)
    if any(_fields(record)[1] > number for record in _all(index)):
        raise ValueError(f"release {release} is not newer than those that the index has")
    kept = {digest(path) for path in keep}
    # What a failed release did to a kept file does not count: no open page comes from it.
    served = _visible(
        (record for record in _all(index) if record[:DIGEST] in kept),
        sorted(map(release_key, {*reachable, *if_room})),
    )
    live = {owner: hash_ for owner, _, hash_ in map(_fields, served) if hash_ != TOMBSTONE}
    additions = _additions(index, kept, live | _by_digest(wanted))
    fresh = [owner + number + object_hash for owner, object_hash in additions]
    for optional in _fewer(if_room):
        seen = frozenset({release, *reachable, *optional})
        numbers = sorted(map(release_key, seen))
        grown = _in_place(index, fresh, numbers, occupied)
        if grown is None or (fresh and _is_to_be_widened(grown)):
            rebuilt = _rebuilt(index, fresh, numbers, occupied)
            if rebuilt is not None:
                return Change(rebuilt, _keyed(rebuilt.generation, rebuilt.values), True, seen)
        if grown is not None:
            puts = {n: value for n, value in grown.values.items() if value != index.values.get(n)}
            return Change(grown, _keyed(index.generation, puts), False, seen)
    raise IndexFull(
        f"release {release} has {len(wanted):,} files, {len(fresh):,} of them changed; with the "
        f"releases that must stay reachable they do not fit into the {MAX_STORE:,} bytes of a "
        "KeyValueStore. Keep fewer releases, or split the site."
    )


def surely_fits(index: Index, files: int, occupied: int = 0) -> bool:
    """Whether a release of so many files has room, by the number of records alone, whatever they
    are. Where it is False, :meth:`append` has to be tried."""
    used = _size(index.generation, index.values)
    rebuilt = used + files * RECORD + WIDE * len(bucket_key(index.generation + 1, WIDE))
    return occupied + used + rebuilt <= MAX_STORE


def batches(puts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """What one UpdateKeys call takes: at most 50 keys and 3 MB."""
    batch: dict[str, str] = {}
    size = 0
    for key, value in puts.items():
        size += len(key) + len(value)
        if batch and (len(batch) == MAX_KEYS_PER_CALL or size > MAX_BYTES_PER_CALL):
            yield batch
            batch, size = {}, len(key) + len(value)
        batch[key] = value
    if batch:
        yield batch


def _all(index: Index) -> Iterator[str]:
    return (record for value in index.values.values() for record in _records(value))


def _records(value: str) -> Iterator[str]:
    return (value[at : at + RECORD] for at in range(0, len(value), RECORD))


def _fields(record: str) -> tuple[str, str, str]:
    split = DIGEST + RELEASE
    return record[:DIGEST], record[DIGEST:split], record[split:]


def _by_digest(wanted: Mapping[str, str]) -> dict[str, str]:
    found = {digest(path): object_hash for path, object_hash in wanted.items()}
    if len(found) < len(wanted):
        _raise_collision(wanted)
    return found


def _raise_collision(paths: Iterable[str]) -> NoReturn:
    owners: dict[str, str] = {}
    for path in paths:
        other = owners.setdefault(digest(path), path)
        if other != path:
            break
    raise DigestCollision(
        f"“{other}” and “{path}” have the same digest, {digest(path)}; rename one of them."
    )


def _additions(
    index: Index, kept: Collection[str], wanted: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Digest, and object hash or tombstone, of the records that the new release needs.

    Worked out bucket by bucket: an index of 100,000 is not in memory a second time.
    """
    unanswered = set(wanted)
    for value in index.values.values():
        newest: dict[str, str] = {}  # digest -> release, object hash
        for record in _records(value):
            owner, rest = record[:DIGEST], record[DIGEST:]
            if rest > newest.get(owner, ""):
                newest[owner] = rest
        for owner, rest in newest.items():
            answer = rest[RELEASE:]
            target = wanted.get(owner, answer if owner in kept else TOMBSTONE)
            if target != answer:
                yield owner, target
        unanswered.difference_update(newest)
    yield from ((owner, target) for owner, target in wanted.items() if owner in unanswered)


def _fewer(optional: Sequence[int]) -> Iterator[Sequence[int]]:
    """All of them, then halves of what was left, then none."""
    while optional:
        yield optional
        optional = optional[: len(optional) // 2]
    yield optional


def _in_place(
    index: Index, fresh: Iterable[str], numbers: Sequence[str], occupied: int
) -> Index | None:
    """The same buckets with the new records, or None when one bucket or the store outgrows."""
    values = dict(index.values)
    for bucket, records in _grouped(fresh, index.buckets).items():
        value = _joined(values.get(bucket, ""), records)
        if len(value) > MAX_VALUE:
            value = _pruned(value, numbers)
        if len(value) > MAX_VALUE:
            return None
        values[bucket] = value
    room = MAX_STORE - occupied
    if _size(index.generation, values) > room:
        values = {n: _pruned(value, numbers) for n, value in values.items()}
    if _size(index.generation, values) > room:
        return None
    return Index(index.generation, index.buckets, values)


def _is_to_be_widened(index: Index) -> bool:
    """Whether it is about to get too large for another generation beside it."""
    records = sum(map(len, index.values.values())) // RECORD
    return index.buckets < WIDE and records > NARROW_MOST


def _rebuilt(
    index: Index, fresh: Iterable[str], numbers: Sequence[str], occupied: int
) -> Index | None:
    """A new generation with more buckets; the old one stays until no head names it."""
    parts = _grouped(chain(_all(index), fresh), PARTS).values()
    records = [record for part in parts for record in _visible(part, numbers)]
    room = MAX_STORE - occupied - _size(index.generation, index.values)
    if len(records) * RECORD > room:
        return None
    paths = len({record[:DIGEST] for record in records})
    least = max(4, len(records) // FILL, WIDE if len(records) > NARROW_MOST else 0)
    buckets = least if least >= WIDE > index.buckets else max(least, index.buckets * 2)
    while buckets <= max(64, least, index.buckets * 2, paths * 2):
        grouped = _grouped(records, buckets)
        if max(map(len, grouped.values()), default=0) * RECORD <= MAX_VALUE:
            values = {bucket: "".join(rows) for bucket, rows in sorted(grouped.items())}
            rebuilt = Index(index.generation + 1, buckets, values)
            return rebuilt if _size(rebuilt.generation, values) <= room else None
        buckets *= 2
    return None


def _joined(value: str, records: Sequence[str]) -> str:
    """A release that is written again replaces what it wrote."""
    replaced = {record[: DIGEST + RELEASE] for record in records}
    old = (record for record in _records(value) if record[: DIGEST + RELEASE] not in replaced)
    return "".join([*old, *records])


def _visible(records: Iterable[str], numbers: Sequence[str]) -> Iterator[str]:
    """The records that a head naming one of ``numbers`` can see."""
    histories: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for record in records:
        owner, number, _ = _fields(record)
        histories[owner][number] = record
    for history in histories.values():
        ordered = sorted(history)
        starts = [bisect_left(numbers, number) for number in ordered] + [len(numbers)]
        shown = [history[n] for i, n in enumerate(ordered) if starts[i] < starts[i + 1]]
        # A tombstone over nothing says what no record says as well.
        if shown and shown[0].endswith(TOMBSTONE):
            shown = shown[1:]
        yield from shown


def _pruned(value: str, numbers: Sequence[str]) -> str:
    """Never empty: when nothing but tombstones over nothing is left, the newest of them stays."""
    return "".join(_visible(_records(value), numbers)) or max(
        _records(value), key=lambda record: record[DIGEST:]
    )


def _grouped(records: Iterable[str], buckets: int) -> dict[int, list[str]]:
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for record in records:
        grouped[bucket_of(record, buckets)].append(record)
    return grouped


def _size(generation: int, values: Mapping[int, str]) -> int:
    return sum(len(bucket_key(generation, n)) + len(value) for n, value in values.items())


def _keyed(generation: int, values: Mapping[int, str]) -> dict[str, str]:
    return {bucket_key(generation, n): value for n, value in values.items()}
