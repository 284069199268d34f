extension APICase {
  private static func creation(
    _ name: String, _ keys: [String], expect: Expectation
  ) -> APICase {
    APICase(
      "idempotency key \(name)", "POST", "/v1/conversations",
      headers: keys.map { ("Idempotency-Key", $0) }, body: #"{"metadata":{"a":"1"}}"#,
      expect: expect)
  }

  /// Contract, section 7: what an `Idempotency-Key` may be. (`IdempotencyTests` has what it does.)
  static let idempotencyKeys: [APICase] =
    [
      ("of one character", ["k"]), ("of 255", [String(repeating: "k", count: 255)]),
      (
        "of all visible ASCII", [String(decoding: 0x21...0x7e as ClosedRange<UInt8>, as: UTF8.self)]
      ),
      ("with a list's comma", ["a,b"]),
    ].map { creation($0, $1, expect: conversation(#"{"a":"1"}"#)) }
    + [
      ("empty", [""]), ("of 256", [String(repeating: "k", count: 256)]), ("with a space", ["a b"]),
      ("with a tab", ["a\tb"]), ("not ASCII", ["caf\u{E9}"]), ("twice", ["a", "b"]),
      ("twice the same", ["a", "a"]), ("twice empty", ["", ""]),
    ].map {
      creation(
        $0, $1,
        expect: .error(
          400,
          "Invalid 'Idempotency-Key' header: expected 1 to 255 visible ASCII characters.",
          code: "invalid_value"))
    }
    // Elsewhere the field is ignored, whatever it says.
    + [
      ("GET", "", conversation(#"{"topic":"test"}"#)),
      ("POST", #"{"metadata":{}}"#, conversation("{}")),
      ("PATCH", "{}", conversation(#"{"topic":"test"}"#)),
      ("DELETE", "", .ok(#"{"id":"{id}","object":"conversation.deleted","deleted":true}"#)),
    ].map { method, body, answer in
      APICase(
        "idempotency key on \(method)", method, "/v1/conversations/{id}",
        headers: [("Idempotency-Key", "a b")], body: body, expect: answer)
    }
}
