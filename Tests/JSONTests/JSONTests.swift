import JSON
import Testing

/// What a value that was read tells of itself.
@Suite struct JSONTests {
  private static let text = """
     { "a" : [ 1 , "b c" , { } , [ ] ] ,
    \t"\\u00e9\\u0000" : null , "e\u{301}" : -1.50E+010 ,"t":true , "o" : { "k": "\\/ \\" " } } \r
    """

  @Test func `the text of each value is as it was sent`() throws {
    let json = try JSON(Self.text)
    #expect(shown(json.text).first == "{" && shown(json.text).last == "}")
    let members = try #require(json.members)
    #expect(
      members.map { shown($0.keyText) } == [
        "\"a\"", #""\u00e9\u0000""#, "\"e\u{301}\"", "\"t\"", "\"o\"",
      ])
    #expect(
      members.map { Array($0.key.utf8) } == [
        Array("a".utf8), Array("\u{E9}\0".utf8), Array("e\u{301}".utf8), [0x74], [0x6f],
      ])
    #expect(
      members.map { shown($0.value.text) } == [
        #"[ 1 , "b c" , { } , [ ] ]"#, "null", "-1.50E+010", "true", #"{ "k": "\/ \" " }"#,
      ])
    #expect(members.map(\.value.kind) == [.array, .null, .decimal, .boolean, .object])
    let elements = try #require(json["a"]?.elements)
    #expect(elements.map { shown($0.text) } == ["1", #""b c""#, "{ }", "[ ]"])
    #expect(elements.map(\.kind) == [.integer, .string, .object, .array])
    #expect(elements.map(\.string) == [nil, "b c", nil, nil])
  }

  @Test func `whitespace outside strings is left out of a compact value`() throws {
    let json = try JSON(Self.text)
    var bytes = Array("x".utf8)
    json.appendCompact(to: &bytes)
    let compact =
      #"{"a":[1,"b c",{},[]],"\u00e9\u0000":null,"e"# + "\u{301}"
      + #"":-1.50E+010,"t":true,"o":{"k":"\/ \" "}}"#
    #expect(bytes == Array(("x" + compact).utf8))
    var writer = JSONWriter()
    writer.value(try #require(json["a"]))
    writer.raw(try #require(json["o"]?.members?.first).keyText)
    writer.value(try #require(json["o"]?["k"]))
    #expect(shown(writer.bytes[...]) == #"[1,"b c",{},[]]"k""\/ \" ""#)
  }

  @Test func `a member is found by the bytes of its key`() throws {
    let json = try JSON(#"{"e\u0301":1,"é":2,"a\u0000":3,"":4,"\"":5,"o":{"p":6}}"#)
    for (key, text) in [
      ("e\u{301}", "1"), ("\u{E9}", "2"), ("a\0", "3"), ("", "4"), ("\"", "5"),
    ] {
      #expect(json[key].map { shown($0.text) } == text)
    }
    #expect(json["a"] == nil && json["E\u{301}"] == nil && json["p"] == nil)
    #expect(json["o"]?["p"]?.kind == .integer)
    #expect(try JSON("[1]")["a"] == nil && JSON("\"a\"")["a"] == nil)
  }

  @Test(arguments: ["null", "true", "1", "1.5", #""a""#, "[1]", #"{"a":1}"#])
  func `a value is only what it is`(text: String) throws {
    let json = try JSON(text)
    #expect((json.string != nil) == (json.kind == .string))
    #expect((json.elements != nil) == (json.kind == .array))
    #expect((json.members != nil) == (json.kind == .object))
  }

  @Test func `arrays and objects count what is directly in them`() throws {
    let json = try JSON(#"[[],{},[1,[2,3],{"a":[4]}],{"a":{"b":1,"c":2},"d":[]}]"#)
    let elements = try #require(json.elements)
    #expect(elements.map { $0.elements?.count ?? $0.members?.count } == [0, 0, 3, 2])
    #expect(
      elements.map { $0.elements?.isEmpty ?? $0.members?.isEmpty } == [true, true, false, false])
    #expect(elements.count == 4)
  }

  private func shown(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}
