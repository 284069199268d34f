import JSON
import Testing

/// What an escape stands for, U+0000 above all, which few readers hold.
@Suite struct JSONEscapeTests {
  @Test(arguments: [
    (#"{"\u0000":1}"#, "{'<0>':#}"),
    (#"{"a\u0000":1,"\u0000a":2,"\u0000\u0000":3}"#, "{'a<0>':#,'<0>a':#,'<0><0>':#}"),
    (#"{"a":{"b\u0000c":"d"}}"#, "{'a':{'b<0>c':'d'}}"),
    (#"[[{"x":[{"\u0000":{}}]}]]"#, "[[{'x':[{'<0>':{}}]}]]"),
    (#"{"\u0000":"\u0000","a":["\u0000b"]}"#, "{'<0>':'<0>','a':['<0>b']}"),
    (#"{"é\u0000😀\u0000\ud83d\ude00":1}"#, "{'<e9><0><1f600><0><1f600>':#}"),
    (#"{"\u0000\u00e9\u0001":1}"#, "{'<0><e9><1>':#}"),
    (#"{"\u0000":1.0,"b":-1,"c":1e5,"d":true}"#, "{'<0>':#.#,'b':#,'c':#.#,'d':true}"),
  ])
  func `U+0000 is read in a key`(text: String, outline: String) throws {
    #expect(try JSON(text).outline == outline)
  }

  @Test(arguments: [
    (#"\\u0000"#, "<5c>u<30><30><30><30>"), (#"\\\u0000"#, "<5c><0>"),
    (#"\\\\u0000"#, "<5c><5c>u<30><30><30><30>"), (#"\\\\\u0000"#, "<5c><5c><0>"),
    (#"\u00000"#, "<0><30>"), (#"\"\u0000\""#, "<22><0><22>"),
    (#"\u005cu0000"#, "<5c>u<30><30><30><30>"), (#"u0000"#, "u<30><30><30><30>"),
    (#"\u0022\u005C\u002f"#, "<22><5c><2f>"), (#"\uD800\uDC00"#, "<10000>"),
    (#"\udbff\udfff"#, "<10ffff>"), (#"\ud7ff\ue000\ufffe\uFFFF"#, "<d7ff><e000><fffe><ffff>"),
    (#"\u000A\u0020\u007f\u2028\ufeff"#, "<a><20><7f><2028><feff>"), (#"\u12aB"#, "<12ab>"),
  ])
  func `an escape is what it stands for, in a key and in a value`(
    text: String, outline: String
  ) throws {
    #expect(try JSON(#"{"\#(text)":"\#(text)"}"#).outline == "{'\(outline)':'\(outline)'}")
  }
}
