"""Lists in both of OFAC's forms, what changed between two, and names as they are compared."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.domain.sanctions.index import Index
from sdt.domain.sanctions.lists import BadList, check_whole, diff, read_csv, read_xml
from sdt.domain.sanctions.match import likeness
from sdt.domain.sanctions.names import words_of

SDN = (
    b'1,"FALSENAME, Viktor",individual,"TEST",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'
    b'2,"EXAMPLE FRONT TRADING LLC",-0- ,"TEST",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"said to be nobody"\r\n\x1a'
)
ALT = b'1,10,"aka","FALSCHNAME, Wiktor",-0- \r\n\x1a'
ADD = b'2,20,"1 Nowhere Street","Nowhere","Nowhere",-0- \r\n\x1a'
DAY = date(2026, 1, 5)
XML = b"""<?xml version="1.0"?>
<sdnList xmlns="https://example.test/sdn"><publshInformation><Publish_Date>01/05/2026</Publish_Date></publshInformation>
<sdnEntry><uid>1</uid><firstName>Viktor</firstName><lastName>FALSENAME</lastName><sdnType>Individual</sdnType>
<programList><program>TEST</program></programList>
<akaList><aka><uid>10</uid><type>a.k.a.</type><lastName>FALSCHNAME</lastName><firstName>Wiktor</firstName></aka></akaList>
</sdnEntry>
<sdnEntry><uid>2</uid><lastName>EXAMPLE FRONT TRADING LLC</lastName><sdnType>Entity</sdnType>
<programList><program>TEST</program></programList><remarks>said to be nobody</remarks>
<addressList><address><uid>20</uid><address1>1 Nowhere Street</address1><city>Nowhere</city><country>Nowhere</country>
</address></addressList></sdnEntry></sdnList>"""


def test_both_forms_say_the_same() -> None:
    by_csv, by_xml = read_csv(SDN, ALT, ADD, DAY), read_xml(XML)
    assert by_csv.entries == by_xml.entries
    assert by_csv.list_date == by_xml.list_date
    assert by_csv.entries[1].names == ("FALSENAME, Viktor", "FALSCHNAME, Wiktor")


def test_a_new_edition_says_what_changed() -> None:
    before = read_csv(SDN, ALT, ADD, DAY)
    after = read_csv(SDN.replace(b"2,", b"3,", 1).replace(b"\n2,", b"\n3,"), b"", b"", DAY)
    change = diff(before, after)
    assert (change.added, change.removed, change.changed) == ((3,), (2,), (1,))
    assert before.digest != after.digest
    assert before.entries[1].digest != after.entries[1].digest
    assert diff(before, before) == type(change)((), (), ())


@pytest.mark.parametrize(
    ("sdn", "alt", "add", "words"),
    [
        (b"", b"", b"", "empty"),
        (b"1,x\r\n", b"", b"", "12 columns"),
        (b"x" + SDN, b"", b"", "12 columns"),
        (SDN, b'9,10,"aka","NOBODY",-0- \r\n', b"", "different days"),
        (SDN, b"", b'9,20,"a","b","c",-0- \r\n', "different days"),
        (SDN[:40], b"", b"", "no CSV|12 columns"),
    ],
)
def test_a_damaged_list_is_refused(sdn: bytes, alt: bytes, add: bytes, words: str) -> None:
    with pytest.raises(BadList, match=words):
        read_csv(sdn, alt, add, DAY)


@pytest.mark.parametrize("name", ["sdn.csv", "alt.csv", "add.csv"])
def test_a_file_that_is_empty_or_cut_off_at_a_line_is_refused(name: str) -> None:
    whole = {"sdn.csv": SDN, "alt.csv": ALT, "add.csv": ADD}
    for closing in (b"\x1a", b"\x1a\r\n", b""):
        check_whole({each: data.replace(b"\x1a", b"") + closing for each, data in whole.items()})
    for half in (b"", b"\x1a", b"\r\n\x1a\r\n", whole[name].splitlines(keepends=True)[0]):
        with pytest.raises(BadList, match=name):
            check_whole({**whole, name: half})


def test_a_document_that_is_cut_off_anywhere_is_refused() -> None:
    for end in range(0, len(XML), 7):
        with pytest.raises(BadList):
            read_xml(XML[:end])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<sdnList>", "no XML"),
        (b"<sdnList/>", "date"),
        (XML.replace(b"01/05/2026", b"2026-01-05"), "date"),
        (XML.replace(b"<uid>1</uid>", b""), "no number"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><sdnList>&a;</sdnList>', "document type"),
    ],
)
def test_a_damaged_or_hostile_document_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BadList, match=words):
        read_xml(data)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Dr. Søren Ærø", ("soren", "aero")),
        ("P.T. Astra International", ("astra", "international")),
        ("O'Brien, Anna-Maria", ("obrien", "anna", "maria")),
        ("Владимир Путин", ("vladimir", "putin")),
        ("The Company Ltd.", ("the", "company", "ltd")),
        ("", ()),
    ],
)
def test_names_as_they_are_compared(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


@given(st.text(max_size=80))
def test_taking_a_name_apart_is_done_once_and_for_all(name: str) -> None:
    words = words_of(name)
    assert words_of(" ".join(words)) == words or not words
    assert not words or likeness(name, name).score == 100


@example("000:A", "00:A0")
@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_knows_no_order(a: str, b: str) -> None:
    assert likeness(a, b).score == likeness(b, a).score
    assert 0 <= likeness(a, b).score <= 100


def test_a_legal_form_is_no_likeness() -> None:
    """The complaint about others: that CORP alone was a full hit."""
    assert likeness("Bluebonnet Corp", "Tombstone Corp").score < 50
    index = Index(read_csv(SDN, ALT, ADD, DAY))
    assert index.search("Corp") == index.search("LLC") == index.search("") == ()


@pytest.mark.parametrize("name", ["Viktor Falsename", "FALSENAME VIKTOR", "Victor Falsename", "Wiktor Falschname"])
def test_people_are_found_in_any_order_and_spelling(name: str) -> None:
    hits = Index(read_csv(SDN, ALT, ADD, DAY)).search(name)
    assert [hit.listed.uid for hit in hits] == [1]


@pytest.mark.parametrize("more", ["Alexander Maria Johann Peter", "A B C D E F G H I J K L M N", "y de la x " * 20])
def test_words_added_to_a_listed_name_hide_it_from_nobody(more: str) -> None:
    index = Index(read_csv(SDN, ALT, ADD, DAY))
    assert [hit.listed.uid for hit in index.search(f"Viktor {more} Falsename")] == [1]


def test_half_a_name_is_not_the_name() -> None:
    assert Index(read_csv(SDN, ALT, ADD, DAY)).search("Viktor Different") == ()


def _folder(tmp_path: Path) -> str:
    for name, data in (("sdn.csv", SDN), ("alt.csv", ALT), ("add.csv", ADD)):
        (tmp_path / name).write_bytes(data)
    return str(tmp_path)


def test_the_command_explains_a_hit_and_says_so_by_its_status(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    hit = CliRunner().invoke(app, ["sanctions", "check", "Victor Falsename", "--list", folder])
    assert hit.exit_code == 3
    assert "FALSENAME, Viktor" in hit.output
    clear = CliRunner().invoke(app, ["sanctions", "check", "Alice Example", "--list", folder])
    assert clear.exit_code == 0, clear.output
    listed = CliRunner().invoke(app, ["sanctions", "list", "--list", folder, "--before", folder, "--json"])
    assert '"entries": 2' in listed.output
    assert '"added": []' in listed.output
