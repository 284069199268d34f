"""Metadata of every kind of odd string, through the official SDK and back."""

import pytest

FAMILY = "👩‍👩‍👧‍👦"

STRINGS = {
    "empty": "",
    "blank": " ",
    "blanks around": "  a  ",
    "quotes": "\"double\" 'single' `back`",
    "backslashes": "\\ \\\\ \\n \\u0041 \\",
    "an escaped NUL that is only text": "\\u0000",
    "newlines": "a\nb\r\nc\rd",
    "tabs": "\ta\t",
    "C0 control characters": "".join(map(chr, range(1, 32))),
    "DEL and C1 control characters": "".join(map(chr, range(0x7F, 0xA0))),
    "line and paragraph separators": "a\u2028b\u2029c",
    "a byte order mark": "\ufeffa\ufeff",
    "noncharacters": "\uffff\ufffe\ufdd0\U0010ffff",
    "the replacement character": "\ufffd",
    "private use": "\ue000\uf8ff\U000f0000",
    "emoji": f"💬 🇨🇭 👍🏽 {FAMILY}",
    "right to left": "שלום مرحبا \u202eabc\u202c",
    "combining marks": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "ligatures and full width": "ﬁ Ａ ① Å ẞ İ ı",
    "a Hangul syllable in two spellings": "한 \u1112\u1161\u11ab",
    "beyond the basic plane": "𝔘𐍈𠜎",
    "SQL": "'); DROP TABLE conversations; --",
    "JSON": '{"a":[1,null]}',
    "HTML": "<script>alert(1)</script>&amp;",
    "percent": "%00 %2F %s %n {0}",
    "words of JSON": "null",
    "a number": "18446744073709551616.0e400",
    "dots and brackets": "a.b[c][]",
}


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_a_string_comes_back_as_it_was_sent(client, text):
    for metadata in ({text: "value"}, {"key": text}, {text: text}):
        created = client.conversations.create(metadata=metadata)
        assert created.metadata == metadata
        assert client.conversations.retrieve(created.id).metadata == metadata
        # An update that finds its pairs stored already, and one that does not.
        for sent in (metadata, {**metadata, "more": text}, metadata):
            assert client.conversations.update(created.id, metadata=sent).metadata == sent
        assert client.conversations.retrieve(created.id).metadata == metadata


def test_both_spellings_of_an_accented_letter_are_two_keys(client):
    both = {"\u00e9": "one code point", "e\u0301": "two code points"}
    created = client.conversations.create(metadata=both)
    assert created.metadata == both
    assert client.conversations.retrieve(created.id).metadata == both
    one = {"e\u0301": "still here"}
    assert client.conversations.update(created.id, metadata=one).metadata == one
    assert client.conversations.retrieve(created.id).metadata == one


def test_a_value_can_change_to_its_other_spelling(client):
    created = client.conversations.create(metadata={"k": "\u00e9"})
    client.conversations.update(created.id, metadata={"k": "e\u0301"})
    assert client.conversations.retrieve(created.id).metadata == {"k": "e\u0301"}


def test_keys_are_answered_in_code_point_order(client):
    keys = ["", " ", "A", "Z", "a", "z", "é", "e\u0301", "ﬁ", "\uffff", "💬", "\U0010ffff"]
    created = client.conversations.create(metadata={key: "v" for key in reversed(keys)})
    for answer in (created, client.conversations.retrieve(created.id)):
        assert list(answer.metadata) == sorted(keys)


@pytest.mark.parametrize("metadata", [
    {64 * "k": 512 * "v"},
    {64 * "💬": 512 * "💬"},
    {64 * "\u0301": 512 * "\u0301"},
    {"k": FAMILY * 73 + "x"},
    {f"{n:064}": 512 * "\U0010ffff" for n in range(16)},
], ids=["letters", "emoji", "combining marks", "families", "as large as it gets"])
def test_lengths_are_code_points_and_the_limit_is_legal(client, metadata):
    created = client.conversations.create(metadata=metadata)
    assert client.conversations.retrieve(created.id).metadata == metadata


@pytest.mark.parametrize("unit", ["k", "é", "💬", "\u0301"])
def test_one_code_point_over_a_limit_is_refused(client, unit):
    refusals = [
        ({65 * unit: "v"}, "property_name_above_max_length", "length 65"),
        ({"k": 513 * unit}, "string_above_max_length", "length 513")]
    for metadata, code, words in refusals:
        with pytest.raises(Exception) as caught:
            client.conversations.create(metadata=metadata)
        assert caught.value.code == code
        assert words in caught.value.message
