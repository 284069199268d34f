extension APICase {
  private static let historyPath = "/v1/conversations/{id}/metadata_history"

  /// Contract, section 9: the former sets of a conversation that has none.
  /// (`Tests/sdk/test_metadata_history.py` has those of others.)
  static let history: [APICase] = historyLists + historyErrors + restores

  private static let emptyHistory = Expectation.ok(
    #"{"object":"list","data":[],"first_id":null,"has_more":false,"last_id":null}"#)

  private static let historyLists =
    ["", "?limit=1", "?limit=100&order=asc", "?after=0", "?order=asc&after=9007199254740991"].map {
      APICase("history: list \($0)", "GET", historyPath + $0, expect: emptyHistory)
    } + [APICase("history: HEAD", "HEAD", historyPath, expect: .ok(""))]

  private static let historyErrors =
    [
      APICase(
        "history: no conversation", "GET", "/v1/conversations/{unknown}/metadata_history",
        expect: .error(404, "Conversation with id '{unknown}' not found.")),
      APICase(
        "history: unknown parameter", "GET", "\(historyPath)?before=1",
        expect: .error(
          400, "Unknown parameter: 'before'.", param: "before", code: "unknown_parameter")),
      APICase(
        "history: limit too large", "GET", "\(historyPath)?limit=101",
        expect: .error(
          400,
          "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 "
            + "instead.", param: "limit", code: "integer_above_max_value")),
      APICase(
        "history: limit too small", "GET", "\(historyPath)?limit=0",
        expect: .error(
          400,
          "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
          param: "limit", code: "integer_below_min_value")),
      APICase(
        "history: unknown order", "GET", "\(historyPath)?order=up",
        expect: .error(
          400, "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", param: "order",
          code: "invalid_value")),
      APICase(
        "history: twice", "GET", "\(historyPath)?after=1&after=2",
        expect: .error(
          400, "Invalid 'after': the parameter may be given only once.", param: "after",
          code: "invalid_value")),
      APICase(
        "history: POST", "POST", historyPath,
        expect: .error(
          405,
          "Not allowed to POST on /v1/conversations/{id}/metadata_history. "
            + "(HINT: Perhaps you meant to use a different HTTP method?)",
          code: "method_not_supported", headers: ["allow": "GET, HEAD"])),
    ]
    + ["", "x", "-1", "%2B1", "01", "9007199254740992", "1.0", "%D9%A1"].map { text in
      let shown = ["%2B1": "+1", "%D9%A1": "\u{661}"][text] ?? text
      return APICase(
        "history: after \(text)", "GET", "\(historyPath)?after=\(text)",
        expect: .error(
          400,
          "Invalid 'after': '\(shown)' is not the id of a version. Expected an integer from 0 to "
            + "9007199254740991.", param: "after", code: "invalid_value"))
    }

  private static func restore(
    _ name: String, _ version: String = "1782518200123456", id: String = "{id}",
    query: String = "",
    headers: [(name: String, value: String)] = [], body: String = "", expect: Expectation
  ) -> APICase {
    APICase(
      "restore: \(name)", "POST",
      "/v1/conversations/\(id)/metadata_history/\(version)/restore\(query)",
      headers: headers, body: body, expect: expect)
  }

  private static func versionNotFound(_ version: String) -> Expectation {
    .error(
      404, "Metadata version with id '\(version)' not found in conversation.",
      code: "metadata_version_not_found")
  }

  private static let ofJSON = [(name: "Content-Type", value: "application/json")]

  private static let restores: [APICase] =
    ["1782518200123456", "0", "x", "01", "-1", "9007199254740992"].map {
      restore("version \($0)", $0, expect: versionNotFound($0))
    } + [
      restore("{}", headers: ofJSON, body: "{}", expect: versionNotFound("1782518200123456")),
      restore("null", headers: ofJSON, body: "null", expect: versionNotFound("1782518200123456")),
      restore(
        "a wrong condition", headers: [("If-Match", "\"0\"")],
        expect: versionNotFound("1782518200123456")),
      restore(
        "no conversation", id: "{unknown}",
        expect: .error(404, "Conversation with id '{unknown}' not found.")),
      restore(
        "a body", headers: ofJSON, body: #"{"metadata":{}}"#,
        expect: .error(
          400, "Unknown parameter: 'metadata'.", param: "metadata", code: "unknown_parameter")),
      restore(
        "an array", headers: ofJSON, body: "[]",
        expect: .error(
          400, "Invalid type: expected an object, but got an array instead.",
          code: "invalid_type")),
      restore(
        "a parameter", "1", query: "?limit=1",
        expect: .error(
          400, "Unknown parameter: 'limit'.", param: "limit", code: "unknown_parameter")),
    ]
}
