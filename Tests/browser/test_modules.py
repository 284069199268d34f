"""The modules that know nothing of the page, run in the page."""

import pytest
from conftest import Visit
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def run_in_page(sample, browser):
    """Runs a function of JavaScript that gets a module of the page and an argument."""
    tab = Visit(browser, sample.url).open()
    page = tab.page
    expect(page.locator("#main > *")).not_to_have_count(0)

    def run_in_page(module, function, argument=None):
        return page.evaluate(f"""async (argument) => {{
            const script = document.querySelector("script[type=module]").src;
            const module = await import(new URL("{module}", script));
            return ({function})(module, argument);
        }}""", argument)

    yield run_in_page
    tab.close()


@pytest.mark.parametrize("text, count", [
    ("", 0), ("abc", 3), ("é", 1), ("e\u0301", 2), ("😀", 1), ("👩‍👩‍👧", 5), ("a\u0000b", 3)])
def test_lengths_are_of_code_points(run_in_page, text, count):
    assert len(text) == count
    assert run_in_page("text.js", "({ codePoints }, text) => codePoints(text)", text) == count


def test_the_order_is_that_of_code_points(run_in_page):
    keys = ["b", "a", "", "10", "9", "é", "e\u0301", "\U0001f600", "\uffee", "ab", "__proto__", "Z"]
    ordered = run_in_page(
        "text.js", "({ byCodePoint }, keys) => keys.sort(byCodePoint)", keys)
    assert ordered == sorted(keys)


@pytest.mark.parametrize("text, cell", [
    ("a", "a"), ("", ""), ("a,b", '"a,b"'), ('a"b', '"a""b"'), ("a\nb", '"a\nb"'),
    ("=1+1", "\"'=1+1\""), ("+1", "\"'+1\""), ("-1", "\"'-1\""), ("@x", "\"'@x\""),
    ("\t=1", "\"'\t=1\""), ("1-1", "1-1")])
def test_a_cell_is_never_a_formula(run_in_page, text, cell):
    assert run_in_page("text.js", "({ csvCell }, text) => csvCell(text)", text) == cell


@pytest.mark.parametrize("text, names", [
    ("plain", []), ("a\u200bb", ["U+200B"]), ("\u202eabc", ["U+202E"]), (" a", ["␣"]),
    ("a b", []), ("👩‍👩‍👧", []), ("a\nb\tc", []), ("\r", ["U+000D"]), ("\u3164", ["U+3164"])])
def test_invisible_characters_are_named(run_in_page, text, names):
    pieces = run_in_page("text.js", "({ oddCharacters }, text) => oddCharacters(text)", text)
    assert "".join(piece["text"] for piece in pieces) == text
    assert [piece["name"] for piece in pieces if "name" in piece] == names


@pytest.mark.parametrize("base, theirs, yours, kinds, result", [
    ({"a": "1"}, {"a": "1"}, {"a": "2"}, {"a": "yours"}, {"a": "2"}),
    ({"a": "1"}, {"a": "2"}, {"a": "1"}, {"a": "theirs"}, {"a": "2"}),
    ({"a": "1"}, {"a": "2"}, {"a": "3"}, {"a": "clash"}, {"a": "3"}),
    ({"a": "1"}, {}, {"a": "3"}, {"a": "clash"}, {"a": "3"}),
    ({"a": "1"}, {"a": "2"}, {}, {"a": "clash"}, {}),
    ({"a": "1"}, {}, {}, {"a": "same"}, {}),
    ({}, {"b": "2"}, {"c": "3"}, {"b": "theirs", "c": "yours"}, {"b": "2", "c": "3"}),
    ({"__proto__": "1"}, {"__proto__": "1"}, {}, {"__proto__": "yours"}, {}),
    ({"k": "v"}, {"k": "v"}, {"k": "v"}, {}, {"k": "v"}),
])
def test_two_changes_of_a_set_are_merged(run_in_page, base, theirs, yours, kinds, result):
    found = run_in_page("merge.js", """({ compare, merged, difference }, sets) => {
        const [base, theirs, yours] = sets.map((pairs) => new Map(pairs));
        const rows = compare(base, theirs, yours);
        const result = merged(theirs, rows, () => true);
        return [rows.map(({ key, kind }) => [key, kind]), [...result],
          [...difference(theirs, result)]];
    }""", [list(pairs.items()) for pairs in (base, theirs, yours)])
    assert dict(found[0]) == kinds
    assert dict(found[1]) == result
    changes = dict(found[2])
    assert changes == {key: result.get(key) for key in {*theirs, *result}
                       if theirs.get(key) != result.get(key)}


METRICS = """# HELP conversationd_x Things.
# TYPE conversationd_x counter
conversationd_x{route="/v1/\\"a\\"",status="404"} 3
conversationd_x{route="b",status="200"} 4
conversationd_size_bucket{le="0.5"} 2
conversationd_size_bucket{le="2.0"} 3
conversationd_size_bucket{le="+Inf"} 4
conversationd_size_sum 5.75
conversationd_size_count 4
"""


def test_metrics_are_read_and_added_up(run_in_page):
    found = run_in_page("metrics.js", """({ parseMetrics, sum, buckets, quantile }, text) => {
        const samples = parseMetrics(text);
        return [sum(samples, "x"), sum(samples, "x", (labels) => labels.get("status") >= "400"),
          samples[0].labels.get("route"), sum(samples, "nope"),
          quantile(0.5, buckets(samples, "size")), quantile(0.75, buckets(samples, "size")),
          quantile(0.99, buckets(samples, "size")), quantile(0.5, [])];
    }""", METRICS)
    assert found == [7, 3, '/v1/"a"', 0, 0.5, 2, 2, None]


@pytest.mark.parametrize("fragment", [
    "#/conversations",
    "#/conversations?metadata[topic]=refund",
    "#/conversations?metadata[a%5Db]=x&metadata[][]=&metadata[a[]]=y".replace("%5D", "]"),
    "#/conversations?metadata[status]=open&metadata[status]=a%2Cb%26c&metadata_exists[]=k",
    "#/conversations?metadata_absent[]=%25&created_at[gte]=1&created_at[lt]=2&order=asc",
    "#/conversations?order_by=last_activity&columns=a%2Cb,__proto__&show=conv_1",
])
def test_a_view_and_its_address_are_the_same(run_in_page, fragment):
    again = run_in_page("query.js", """({ parseFragment, parseView, viewFragment }, fragment) =>
        viewFragment(parseView(parseFragment(fragment).query))""", fragment)
    assert again == fragment
