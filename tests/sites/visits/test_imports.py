from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from sites.errors import Refused
from sites.models import ImportedDay, Kind, Site, VisitImport
from sites.visits import imports
from sites.visits.imports import goatcounter, plausible
from sites.visits.imports.tables import Counted, Limits
from tests.factories import VisitDayFactory
from tests.sites.visits.conftest import days, overall

HEADER = (
    "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,"
    "Location,FirstVisit,Date\n"
)
GOATS = HEADER + (
    '/,"Hello, ""world""",false,,Chrome 100,macOS 12,a,0,www.Example.org/x,h,"1440,900,1",US-CA,'
    "true,2026-01-31T23:50:00Z\n"
    '/about?x=1,About,false,,Chrome 100,macOS 12,a,0,,,"1440,900,1",US-CA,true,'
    "2026-02-01T00:05:00Z\n"
    '/,Hello,false,,Safari,iOS 16,b,0,Hacker News,g,"390,844,3",,true,2026-02-01T02:00:00+01:00\n'
    '/,Hello,false,,Safari,iOS 16,b,0,,,"390,844,3",,false,2026-02-01T02:00:00Z\n'
    "/,Hello,false,,,,,3,,,,DE,true,2026-02-01T03:00:00Z\n"
    "signup,Signup,true,,,,a,0,,,,US,false,2026-02-01T03:00:00Z\n"
)
VISITORS = (
    '"date","visitors","pageviews","bounces","visits","visit_duration"\n'
    '"2023-02-09",119,304,77,134,21070\n"2023-02-10",166,325,117,180,21467\n'
)
PLAUSIBLE = {
    "imported_visitors_20230209_20230210.csv": VISITORS,
    "imported_pages_20230209_20230210.csv": (
        '"date","hostname","page","visits","visitors","pageviews"\n'
        '"2023-02-09","plausible.io","/docs/stats-api",8,7,11\n'
        '"2023-02-09","docs.plausible.io","/docs/stats-api",1,1,1\n'
    ),
    "imported_sources_20230209_20230210.csv": (
        '"date","source","referrer","utm_source","utm_medium","utm_campaign","utm_content",'
        '"utm_term","pageviews","visitors","visits","visit_duration","bounces"\n'
        '"2023-02-09","GitHub","github.com","","","","","",3,3,3,0,3\n'
        '"2023-02-09","GitHub","github.com/a/b","","","","","",1,1,1,0,1\n'
        '"2023-02-09","Newsletter","","","","","","",2,1,1,0,1\n'
        '"2023-02-09","Direct / None","","","","","","",5,4,4,0,1\n'
    ),
    "imported_locations_20230209_20230210.csv": (
        '"date","country","region","city","visitors","visits","visit_duration","bounces",'
        '"pageviews"\n"2023-02-09","GB","GB-ENG",2634910,1,1,0,1,1\n'
        '"2023-02-09","GB","GB-ENG",2644688,1,1,0,1,2\n'
    ),
    "imported_devices_20230209_20230210.csv": (
        '"date","device","visitors","visits","visit_duration","bounces","pageviews"\n'
        '"2023-02-09","Laptop",19,21,3545,11,36\n"2023-02-09","Desktop",89,100,17385,56,251\n'
        '"2023-02-09","Mobile",12,13,140,10,17\n'
    ),
    "imported_browsers_20230209_20230210.csv": "whatever",
}


def packed(files: dict[str, str]) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    stream.seek(0)
    return stream


def told(counted: Counted, kind: Kind) -> dict[tuple, tuple[int, ...]]:
    return {
        (str(key.day), key.value): tuple(sums)
        for key, sums in counted.sums.items()
        if key.kind == kind
    }


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_goatcounters_hits_are_counted_as_ours(pack):
    counted = goatcounter.parse(io.BytesIO(pack(GOATS.encode())), "export.csv")

    assert told(counted, Kind.ALL) == {
        ("2026-01-31", ""): (1, 1, 1, 0),
        ("2026-02-01", ""): (3, 2, 2, 1),  # a goes on with the visit, of a new day; b comes twice
    }
    assert told(counted, Kind.PATH) == {
        ("2026-01-31", "/"): (1, 1, 1, 0),
        ("2026-02-01", "/about"): (1, 0, 1, 0),
        ("2026-02-01", "/"): (2, 2, 1, 1),
    }
    assert told(counted, Kind.REFERRER) == {
        ("2026-01-31", "example.org"): (1, 1, 1, 0),
        ("2026-02-01", ""): (2, 1, 1, 0),
        ("2026-02-01", "Hacker News"): (1, 1, 1, 0),
    }
    assert set(told(counted, Kind.COUNTRY)) == {
        ("2026-01-31", "US"),
        ("2026-02-01", "US"),
        ("2026-02-01", ""),
    }
    assert {value for _, value in told(counted, Kind.DEVICE)} == {"desktop", "mobile"}


@pytest.mark.parametrize(
    ("system", "size", "device"),
    [
        ("Windows 10", "1920,1080,1", "desktop"),
        ("Linux", "", "desktop"),
        ("Android 11", "412,915,2.6", "mobile"),
        ("Android 11", "", "mobile"),
        ("iOS 16.2", "844,390,3", "mobile"),
        ("iOS 16.2", "820,1180,2", "tablet"),
        ("", "390,844,3", "mobile"),
        ("", "768,1024,2", "tablet"),
        ("", "1920,1080,1", "desktop"),
        ("", "0,0,1", ""),
        ("", "", ""),
    ],
)
def test_devices_by_system_and_screen(system, size, device):
    line = f'/,,false,,,{system},a,0,,,"{size}",,true,2026-01-31T10:00:00Z\n'
    counted = goatcounter.parse(io.BytesIO((HEADER + line).encode()), "export.csv")

    assert told(counted, Kind.DEVICE) == {("2026-01-31", device): (1, 1, 1, 0)}


def test_without_sessions_goatcounters_own_judgement_counts():
    line = "/,,{0},,,,00000000-0000-0000-0000-000000000000,0,,,,,{1},2026-01-31T10:00:00Z\n"
    text = HEADER + line.format("0", "1") + line.format("false", "false")

    counted = goatcounter.parse(io.BytesIO(text.encode()), "export.csv")

    assert told(counted, Kind.ALL) == {("2026-01-31", ""): (2, 1, 1, 0)}


COUNTED = (Kind.PATH, Kind.REFERRER, Kind.COUNTRY, Kind.DEVICE, Kind.ALL)
MINUTES = st.integers(0, 3 * 24 * 60)
HITS = st.lists(st.tuples(MINUTES, st.sampled_from("abc"), st.sampled_from("/xy")), max_size=40)


@given(hits=HITS)
def test_every_kind_has_the_same_sums(hits):
    start = datetime(2026, 1, 30, tzinfo=UTC)
    out = io.StringIO(HEADER)
    out.seek(0, io.SEEK_END)
    for minute, session, path in sorted(hits):
        at = (start + timedelta(minutes=minute)).isoformat()
        csv.writer(out).writerow(
            [path, "", "false", "", "", "", session, 0, "", "", "", "", "", at]
        )

    counted = goatcounter.parse(io.BytesIO(out.getvalue().encode()), "export.csv")

    by_kind: dict[Kind, Counter] = {kind: Counter() for kind in COUNTED}
    for key, (pageviews, visits, visitors, bots) in counted.sums.items():
        by_kind[key.kind][key.day] += pageviews
        by_kind[key.kind]["visits"] += visits
        by_kind[key.kind]["visitors"] += visitors
        assert pageviews >= visits
        assert bots == 0
    assert all(sums == by_kind[Kind.ALL] for sums in by_kind.values())
    assert sum(by_kind[Kind.ALL][key.day] for key in counted.sums if key.kind == 7) == len(hits)


def test_plausibles_tables_are_taken_as_they_are():
    counted = plausible.parse(packed(PLAUSIBLE), "export.zip")

    assert told(counted, Kind.ALL) == {
        ("2023-02-09", ""): (304, 134, 119, 0),
        ("2023-02-10", ""): (325, 180, 166, 0),
    }
    assert told(counted, Kind.PATH) == {("2023-02-09", "/docs/stats-api"): (12, 9, 8, 0)}
    assert told(counted, Kind.REFERRER) == {
        ("2023-02-09", "github.com"): (4, 4, 4, 0),
        ("2023-02-09", "Newsletter"): (2, 1, 1, 0),
        ("2023-02-09", ""): (5, 4, 4, 0),
    }
    assert told(counted, Kind.COUNTRY) == {("2023-02-09", "GB"): (3, 2, 2, 0)}
    assert told(counted, Kind.DEVICE) == {
        ("2023-02-09", "desktop"): (287, 121, 108, 0),
        ("2023-02-09", "mobile"): (17, 13, 12, 0),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOATS.replace("2Path", "1Path"), "version 1 of GoatCounter's export"),
        (GOATS.replace("Bot", "Both"), "line 1: there is no column “Bot”"),
        (GOATS.replace("2026-02-01T03", "yesterday"), "line 6: “yesterday:00:00Z” is no date"),
        (GOATS.replace("2026-01", "1926-01"), "line 2: 1926-01-31 is not between"),
        (GOATS.replace("2026-01", "9026-01"), "line 2: 9026-01-31 is not between"),
        (GOATS.replace("About,false", "About,maybe"), "line 3: “maybe” under “Event”"),
        (GOATS.replace(",b,0,,,", ",b,0,,,,"), "line 5: it has not as many fields"),
        (GOATS + '"open', "line 8 is no CSV"),
        (HEADER, "has no pageviews"),
        ("", "is neither GoatCounter's"),
        ("\xff", "is neither GoatCounter's"),
    ],
)
def test_what_is_not_understood_is_refused_by_line(site, text, why):
    with pytest.raises(Refused, match=why):
        imports.load(site, io.BytesIO(text.encode()), "export.csv")
    assert not VisitImport.objects.exists()


def test_other_encodings_are_refused_by_line(site):
    with pytest.raises(Refused, match=r"export.csv, line \d+ is no CSV in UTF-8"):
        imports.load(site, io.BytesIO(GOATS.encode() + b"\xff\xfe,"), "export.csv")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "has no imported_visitors"),
        ({"imported_pages.csv": ""}, "has no imported_visitors"),
        ({"holiday.jpg": ""}, "holiday.jpg is no file of Plausible's"),
        ({"imported_visitors.csv": "", "visitors_20230209_20230210.csv": ""}, "the same table"),
        ({"imported_visitors.csv": VISITORS.replace("304", "-3")}, "line 2: “-3” under"),
        ({"imported_visitors.csv": VISITORS.replace("304", "9" * 14)}, "is no number of hits"),
        ({"imported_visitors.csv": VISITORS.replace("-10", "-31")}, "line 3: “2023-02-31” is no"),
        ({f"imported_{n}.csv": "" for n in range(101)}, "has 101 files"),
    ],
)
def test_a_zip_that_is_not_understood_is_refused(site, files, why):
    stream = packed(files) if files else packed({"__MACOSX/x": ""})
    with pytest.raises(Refused, match=why):
        imports.load(site, stream, "export.zip")


@pytest.mark.parametrize("cut", [10, 100, 200])
def test_broken_archives_are_refused(site, cut):
    with pytest.raises(Refused, match="export.zip is broken"):
        imports.load(site, io.BytesIO(packed(PLAUSIBLE).read()[:cut]), "export.zip")
    with pytest.raises(Refused, match=r"export.csv.gz is broken"):
        imports.load(site, io.BytesIO(gzip.compress(GOATS.encode())[:-cut]), "export.csv.gz")


FEW = Limits(lines=100, megabytes=1, things=8, advice="try less")
TOO_MANY = "more than 100 lines, or 1 MB, are not read; try less"


def goats(*lines: str) -> bytes:
    return (HEADER + "".join(lines)).encode()


def goat(path: str = "/", session: str = "a") -> str:
    return f"{path},,false,,,,{session},0,,,,,true,2026-01-31T10:00:00Z\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"2Path," + b"a" * 200_000, "line 1: it is longer than 65,536 bytes"),
        (goats(goat(), '"', f"{'a' * 1000}\n" * 70), "line 68: it is longer than 65,536 bytes"),
        (goats(*[goat()] * 100), f"line 101: {TOO_MANY}"),
        (goats("\n" * 100), f"line 101: {TOO_MANY}"),
        (goats(*[goat("a" * 60_000)] * 20), "more than .*1 MB.*; try less"),
        (goats(*map(goat, "abcde")), "line 6: these are more than 8 different things; try less"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_too_much_is_refused_before_it_is_read(site, content, why, pack):
    with pytest.raises(Refused, match=why):
        imports.load(site, io.BytesIO(pack(content)), "export.csv", limits=FEW)


def test_many_sessions_at_once_are_too_much():
    content = goats(*[goat(session=letter) for letter in "abcdefghi"])

    with pytest.raises(Refused, match="line 10: these are more than 8 different things"):
        goatcounter.parse(io.BytesIO(content), "export.csv", FEW)


def test_a_file_that_is_too_large_is_not_looked_into(site):
    with pytest.raises(Refused, match="export.csv has more than 1 MB; try less"):
        imports.load(site, io.BytesIO(b"?" * (10**6 + 1)), "export.csv", limits=FEW)


def test_a_zip_is_unpacked_no_further_than_allowed(site):
    blank = "\n" * 80
    files = {"visitors.csv": VISITORS + blank, "pages.csv": f"date,page,visitors,pageviews{blank}"}
    with pytest.raises(Refused, match=f"pages.csv, line 18: {TOO_MANY}"):
        imports.load(site, packed(files), "export.zip", limits=FEW)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("imported_visitors.csv", VISITORS)
    with pytest.raises(Refused, match=r"imported_visitors.csv is packed as Plausible does not"):
        imports.load(site, stream, "export.zip")


def test_an_import_is_added_and_taken_out_again(site):
    VisitDayFactory(site=site, day=date(2026, 2, 1), kind=Kind.PATH, value="/", pageviews=10)
    before = days(site)

    made = imports.load(site, io.BytesIO(GOATS.encode()), "export.csv")

    assert (made.source, made.first_day, made.last_day, made.pageviews, made.days_left) == (
        "goatcounter",
        date(2026, 1, 31),
        date(2026, 2, 1),
        4,
        0,
    )
    assert days(site)[site.uid, date(2026, 2, 1), Kind.PATH, "/"] == (12, 3, 2, 1)
    kept, summed = overall()
    assert kept == summed
    imports.undo(made)
    assert overall() == ({}, {})
    assert days(site) == before
    assert not ImportedDay.objects.exists()


def test_days_that_are_counted_are_left_alone_unless_asked(site):
    VisitDayFactory(site=site, day=date(2026, 2, 1), pageviews=10)

    made = imports.load(site, io.BytesIO(GOATS.encode()), "export.csv")

    assert (made.first_day, made.last_day, made.days_left) == (
        date(2026, 1, 31),
        date(2026, 1, 31),
        1,
    )
    assert days(site)[site.uid, date(2026, 2, 1), Kind.ALL, ""][0] == 10
    made = imports.load(site, io.BytesIO(GOATS.encode()), "export.csv", beside_own=True)
    assert (made.first_day, made.days_left) == (date(2026, 2, 1), 1)
    assert days(site)[site.uid, date(2026, 2, 1), Kind.ALL, ""][0] == 13


def test_the_same_file_is_not_imported_twice(site):
    imports.load(site, packed(PLAUSIBLE), "export.zip")
    before = days(site)

    with pytest.raises(Refused, match="from 2023-02-09 to 2023-02-10, is counted already"):
        imports.load(site, packed(PLAUSIBLE), "export.zip", beside_own=True)
    assert days(site) == before


@pytest.mark.parametrize("has_counter", [True, False])
def test_days_that_our_own_counter_has_not_finished_are_left_to_it(site, has_counter):
    Site.objects.filter(pk=site.pk).update(has_counter=has_counter)
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in (-1, 0, 1)]
    content = goats(*[goat().replace("2026-01-31", str(day)) for day in days])

    made = imports.load(site, io.BytesIO(content), "export.csv")

    last = days[0] if has_counter else days[2]
    assert (made.first_day, made.last_day) == (days[0], last)
    assert made.days_left == (2 if has_counter else 0)


def test_the_command(site, tmp_path, capsys):
    path = tmp_path / "export.zip"
    path.write_bytes(packed(PLAUSIBLE).read())

    call_command("import_visits", site.name, str(path))
    made = VisitImport.objects.get()
    assert f"import {made.pk}, Plausible, export.zip: 629 pageviews" in capsys.readouterr().out
    call_command("import_visits", site.name, "--list")
    assert "from 2023-02-09 to 2023-02-10" in capsys.readouterr().out
    call_command("import_visits", site.name, undo=made.pk)
    assert days(site) == {}
    with pytest.raises(CommandError, match=f"has no import {made.pk}"):
        call_command("import_visits", site.name, undo=made.pk)
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("import_visits", site.name, str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match="export.zip, line"):
        call_command("import_visits", site.name, str(path), source="goatcounter")
