import JSON
import Testing

/// What implementations of JSON disagree about, by the ideas of JSONTestSuite
/// (https://github.com/nst/JSONTestSuite).
@Suite struct JSONGrammarTests {
  @Test(arguments: [
    "[[]   ]", "[\"\"]", "[false]", "[null, 1, \"1\", {}]", "[1\n]", " [1]", "[2] ", "[]\n",
    "[1,null,null,null,2]", "[123e65]", "[0e+1]", "[0e1]", "[ 4]", "[-0.00000000000000000000001]",
    "[20e1]", "[-0]", "[-123]", "[1E22]", "[1E-2]", "[1E+2]", "[123.456e78]", "[1e-2]", "[1e+2]",
    "[123.456789]", #"{"asd":"sdf","dfg":"fgh"}"#, "{}", #"{"":0}"#, #"{"foo\u0000bar":42}"#,
    #"{"min":-1.0e+28,"max":1.0e+28}"#, #"{"a":[]}"#, #"{"title":"\u041f\u043e"}"#,
    "{\n\"a\":\n\"b\"\n}", #"["a/*b*/c/*d//e"]"#, #"["\\a"]"#, #"["\\n"]"#, #"["\u0012"]"#,
    #"["\uDBFF\uDFFE"]"#, "[\"\u{FFFF}\u{10FFFF}\"]", "[\"\u{7F}\"]", "[\"\u{3C0}\"]",
    #"["\u0061\u30af\u30EA\u30b9"]"#, #"["new\u000Aline"]"#, "[\"\u{2028}\u{2029}\"]", "\"\"",
    "\" \"", "false", "42", "-0.1", "null", "true", "[true]", "\r\n\t 1 \t\r\n",
  ])
  func `this is JSON`(text: String) {
    #expect(error(parsing: text) == nil)
  }

  @Test(arguments: [
    "[1 true]", #"["": 1]"#, #"[""],"#, "[,1]", "[1,,2]", #"["x",,]"#, #"["x"]]"#, #"["",]"#,
    #"["x""#, "[x", "[3[4]]", "[1:2]", "[,]", "[-]", #"[   , ""]"#, "[\"a\",\n4\n,1,", "[1,,]",
    "[\"\u{B}a\"\\f]", "[*]", "[\"\"", "[1,\n1\n,1", "[{}", "[fals]", "[nul]", "[tru]",
    "[truefalse]",
    #"["x", truth]"#, #"{[: "x"}"#, #"{"x", null}"#, #"{"x"::"b"}"#, "{🇨🇭}", #"{"a":"a" 123}"#,
    "{key: 'value'}", #"{"a" b}"#, #"{:"b"}"#, #"{"a" "b"}"#, "{9999E9999:1}",
    "{null:null,null:null}", #"{"id":0,,,,,}"#, "{'a':0}", #"{"id":0,}"#, #"{"a":"b"}/**/"#,
    #"{"a":"b"}/**//"#, #"{"a":"b"}//"#, #"{"a":"b"}/"#, #"{"a":"b",,"c":"d"}"#, #"{"a":"a"#,
    #"{ "foo" : "bar", "a" }"#, #"{"a":"b"}#"#, #"{"a":"b"}#{}"#, #"{"a":"b":"c"}"#,
  ])
  func `this array or object is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }

  @Test(arguments: [
    #"["\uD800\"]"#, #"["\uD800\u"]"#, #"["\uD800\u1"]"#, #"["\uD800\u1x"]"#, "[\u{E9}]",
    #"["\\\"]"#, "[\"\\\t\"]", "[\"\\🌀\"]", #"["\"]"#, #"["\u00A"]"#, #"["\uD834\uDd"]"#,
    #"["\uD800\uD800\x"]"#, #"["\uqqqq"]"#, #"["\a"]"#, #"[\u0020"asd"]"#, #"[\n]"#, "\"",
    "['single quote']", "abc", #"["\"#, "[\"new\nline\"]", "[\"\t\"]", #""\UA66D""#, #"""x"#,
    #"["a"\u002c"b"]"#, #"["\u{41}"]"#, #"["\u 041"]"#, #"["\u-041"]"#, #"["\u00G0"]"#,
    #"["\u004"#, #"["\ud83d\"#, #"["\ud83d\u"#, #"["\ud83d\ude0"#, #""\"#, #""\u"#,
    "\"\u{FF02}", "[\"asd]",
  ])
  func `this string is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }

  @Test(arguments: [
    "[\u{2060}]", "\u{2060}", "<.>", "[<null>]", "[1]x", "[1]]", "a\u{E5}", "[True]", "1]",
    "{\"x\": true,", "[][]", "]", "\u{E5}", "2@", "{}}", "{\"\":", "{\"a\":/*comment*/\"b\"}",
    "{\"a\": true} \"x\"", "['", "[,", "[{", "[\"a", "{", "{]", "{,", "{[", "{\"a", "{'a'", "*",
    #"["\{["\{["\{["#, #"[\u000A""]"#, "[ false, nul", "[ true, fals", "[ false, tru",
    "{\"asd\":\"asd\"", "[\u{C}]", "[\u{B}1]", "\u{85}1", "[1]\u{A0}", "\u{3000}[]", "[1];", "()",
    "[1,2,3]\\n", "=", "&", "@", "`a`", "[\u{1A}]", "1\u{1A}", "[1}", "{\"a\":1]", "[{]}",
  ])
  func `this text is malformed`(text: String) {
    #expect(error(parsing: text)?.kind == .malformed)
  }
}
