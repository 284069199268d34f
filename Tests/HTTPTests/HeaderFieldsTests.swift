import HTTPTypes
import Testing

@testable import HTTP

@Suite struct HeaderFieldsTests {
  @Test func `fields keep their order, and names their letters`() {
    var fields: HeaderFields = [.contentType: "a/b", .eTag: "\"1\""]
    fields.append(HTTPField(name: HTTPField.Name("X-Odd")!, value: ""))
    fields.append(contentsOf: [.age: "1"])
    #expect(
      fields.map { "\($0.name.rawName): \($0.value)" } == [
        "Content-Type: a/b", "ETag: \"1\"", "X-Odd: ", "Age: 1",
      ])
  }

  @Test func `several fields of one name are one value`() {
    var fields: HeaderFields = [.accept: "x", .ifMatch: "a"]
    fields.append(.ifMatch, "b")
    fields.append(.cookie, "c=1")
    fields.append(.cookie, "d=2")
    #expect(fields[.ifMatch] == "a, b")
    #expect(fields[.cookie] == "c=1; d=2")
    #expect(fields[.origin] == nil)
    #expect(fields.contains(.accept))
    #expect(!fields.contains(.origin))
  }

  @Test func `a value that is set takes the place of all of that name`() {
    var fields: HeaderFields = [.ifMatch: "a", .accept: "x", .ifMatch: "b"]
    fields[.ifMatch] = "c"
    #expect(fields.map(\.value) == ["x", "c"])
    fields[.ifMatch] = nil
    #expect(fields.map(\.value) == ["x"])
  }

  @Test(arguments: [
    ("a", "a"), (" \ta b\t ", "a b"), ("", ""), (" ", ""), ("a\0b", "a b"), ("a\r\nb", "a  b"),
    ("é", "é"),
  ])
  func `a value is safe to send`(sent: String, kept: String) {
    #expect(received(name: "X-A", value: Array(sent.utf8))[HTTPField.Name("x-a")!] == kept)
  }

  @Test func `bytes that are not UTF-8 are characters of ISO 8859-1`() {
    #expect(received(name: "x-a", value: [0x61, 0xe9])[HTTPField.Name("X-A")!] == "aé")
  }

  @Test func `names differ by what is no letter`() {
    // The bytes differ by 0x20 alone.
    #expect(received(name: "X^A", value: [0x61])[HTTPField.Name("X~A")!] == nil)
  }

  private func received(name: String, value: [UInt8]) -> HeaderFields {
    var fields = HeaderFields()
    Array(name.utf8).withUnsafeBytes { name in
      value.withUnsafeBytes { fields.append(name: name, value: $0) }
    }
    return fields
  }
}
