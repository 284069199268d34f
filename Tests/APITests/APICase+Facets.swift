extension APICase {
  private static let keysPath = "/v1/conversations/metadata_keys"
  private static let valuesPath = "/v1/conversations/metadata_values"
  private static let countPath = "/v1/conversations/count"

  /// Contract, section 9: the API key's own description, keys, values and counts, on a store of one
  /// conversation. (`FacetTests` has the pages of many.)
  static let facets: [APICase] =
    me + keys + values + counts + facetErrors + valuesErrors + countErrors + facetMethods

  private static let me: [APICase] = [
    APICase(
      "me: without a key", "GET", "/v1/me",
      expect: .ok(
        #"{"object":"api_key","name":null,"project":"default","rights":"read_write","#
          + #""admin":false,"redacted_value":null,"created_at":null,"expires_at":null}"#)),
    APICase("me: HEAD", "HEAD", "/v1/me", expect: .ok("")),
    APICase(
      "me: no parameters", "GET", "/v1/me?limit=1",
      expect: .error(400, "Unknown parameter: 'limit'.", param: "limit", code: "unknown_parameter")),
  ]

  private static func list(_ name: String, _ texts: [String], count: String?, more: Bool = false)
    -> Expectation
  {
    let counted = count.map { ($0, "true") } ?? ("null", "null")
    let data = texts.map {
      #"{"object":"conversation.metadata_\#(name)","\#(name)":\#($0),"count":\#(counted.0),"#
        + #""is_exact":\#(counted.1)}"#
    }
    return .ok(
      #"{"object":"list","data":[\#(data.joined(separator: ","))],"has_more":\#(more)}"#)
  }

  private static func keys(
    _ query: String, _ stored: KeyValuePairs<String, String>, _ texts: [String],
    count: String? = nil, more: Bool = false
  ) -> APICase {
    APICase(
      "keys: \(query) of \(stored)", "GET", keysPath + query, stored: stored,
      expect: list("key", texts, count: count, more: more))
  }

  private static let some: KeyValuePairs = ["": "0", "a": "1", "ab": "2", "é": "3"]

  private static let keys: [APICase] = [
    keys("", [:], []), keys("", ["topic": "test"], [#""topic""#]),
    keys("", some, [#""""#, #""a""#, #""ab""#, #""é""#]),
    keys("?up_to=0&limit=500", some, [#""""#, #""a""#, #""ab""#, #""é""#]),
    keys("?up_to=1", some, [#""""#, #""a""#, #""ab""#, #""é""#], count: "1"),
    keys("?up_to=10000", ["a": ""], [#""a""#], count: "1"),
    keys("?limit=2", some, [#""""#, #""a""#], more: true),
    keys("?limit=4", some, [#""""#, #""a""#, #""ab""#, #""é""#]),
    keys("?after=", some, [#""a""#, #""ab""#, #""é""#]),
    keys("?after=a&limit=1", some, [#""ab""#], more: true),
    keys("?after=aa&up_to=5", some, [#""ab""#, #""é""#], count: "1"),
    keys("?after=%C3%A9", some, []), keys("?after=zz", some, [#""é""#]),
    keys("?prefix=", some, [#""""#, #""a""#, #""ab""#, #""é""#]),
    keys("?prefix=a", some, [#""a""#, #""ab""#]), keys("?prefix=A", some, []),
    keys("?prefix=a&after=a", some, [#""ab""#]), keys("?prefix=ab&after=a", some, [#""ab""#]),
    keys("?prefix=a&after=b", some, []), keys("?prefix=b&after=a", some, []),
    keys("?prefix=a&limit=1", some, [#""a""#], more: true),
    keys("?prefix=a&limit=1&after=a", some, [#""ab""#]),
    keys("?prefix=e", ["e\u{301}": "1", "é": "2"], ["\"e\u{301}\""]),
    keys("?prefix=%22%0A", ["\"\n": "1"], [#""\"\n""#]),
    keys("?prefix=%F0%9F%98%80", ["😀🏽": "1", "😁": "2"], [#""😀🏽""#]),
    APICase("keys: HEAD", "HEAD", keysPath, expect: .ok("")),
  ]

  private static func values(
    _ query: String, _ stored: KeyValuePairs<String, String>, _ texts: [String],
    count: String? = nil
  ) -> APICase {
    APICase(
      "values: \(query) of \(stored)", "GET", "\(valuesPath)?\(query)", stored: stored,
      expect: list("value", texts, count: count))
  }

  private static let values: [APICase] = [
    values("key=topic", ["topic": "test"], [#""test""#]), values("key=x", ["topic": "test"], []),
    values("key=topic&up_to=1", ["topic": "test", "a": "test"], [#""test""#], count: "1"),
    values("key=", some, [#""0""#]), values("key", some, [#""0""#]),
    values("key=e%CC%81", ["e\u{301}": "1", "é": "2"], [#""1""#]),
    values("key=k", ["k": ""], [#""""#]), values("key=k&after=", ["k": ""], []),
    values("key=k&prefix=ab&limit=100", ["k": "abc"], [#""abc""#]),
    values("prefix=abd&key=k", ["k": "abc"], []), values("key=k&after=abc", ["k": "abc"], []),
    values("key=k&after=abb", ["k": "abc"], [#""abc""#]),
    APICase("values: HEAD", "HEAD", "\(valuesPath)?key=topic", expect: .ok("")),
  ]

  private static func count(_ query: String, _ expected: Int) -> APICase {
    APICase(
      "count: \(query)", "GET", countPath + query, stored: ["a": "1", "b": "2"],
      expect: .ok(#"{"object":"conversation.count","count":\#(expected),"is_exact":true}"#))
  }

  private static let counts: [APICase] =
    [
      "", "?", "?up_to=1", "?up_to=1000000", "?metadata[a]=1", "?metadata[a][]=1&metadata[a][]=3",
      "?metadata_exists[]=a&metadata_absent[]=c", "?created_at[gte]={seconds}&metadata[b]=2",
      "?created_at[lte]={seconds}&created_at[gt]=0",
    ].map { count($0, 1) }
    + [
      "?metadata[a]=2", "?metadata_absent[]=a", "?created_at[lt]={seconds}",
      "?created_at[gt]={seconds}&up_to=5",
    ].map { count($0, 0) }
    + [APICase("count: HEAD", "HEAD", countPath, expect: .ok(""))]

  private static func refused(
    _ target: String, _ message: String, param: String?, code: String
  ) -> APICase {
    APICase(
      "refused: \(target)", "GET", target, expect: .error(400, message, param: param, code: code))
  }

  private static func unknown(parameter name: String, of path: String) -> APICase {
    refused(
      "\(path)?\(name)=1", "Unknown parameter: '\(name)'.", param: name,
      code: "unknown_parameter")
  }

  private static func outside(
    _ target: String, _ name: String, _ values: (below: String, least: Int),
    _ others: (above: String, most: Int)
  ) -> [APICase] {
    let separator = target.contains("?") ? "&" : "?"
    return [
      refused(
        "\(target)\(separator)\(name)=\(values.below)",
        "Invalid '\(name)': integer below minimum value. Expected a value >= \(values.least), but "
          + "got \(values.below) instead.", param: name, code: "integer_below_min_value"),
      refused(
        "\(target)\(separator)\(name)=\(others.above)",
        "Invalid '\(name)': integer above maximum value. Expected a value <= \(others.most), but "
          + "got \(others.above) instead.", param: name, code: "integer_above_max_value"),
      refused(
        "\(target)\(separator)\(name)=x",
        "Invalid type for '\(name)': expected an integer, but got a string instead.", param: name,
        code: "invalid_type"),
      refused(
        "\(target)\(separator)\(name)=1&\(name)=1",
        "Invalid '\(name)': the parameter may be given only once.", param: name,
        code: "invalid_value"),
    ]
  }

  private static let long = String(repeating: "k", count: 65)
  private static let longMessage =
    "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with maximum "
    + "length 64, but got a string with length 65 instead."

  private static let facetErrors: [APICase] =
    outside(keysPath, "limit", ("0", 1), ("501", 500))
    + outside(keysPath, "up_to", ("-1", 0), ("10001", 10_000))
    + ["prefix", "after"].flatMap { (name: String) in
      [
        refused(
          "\(keysPath)?\(name)=\(long)", longMessage, param: "metadata.\(long)",
          code: "property_name_above_max_length"),
        refused(
          "\(keysPath)?\(name)=%00",
          "Invalid property name in 'metadata': '\0' contains U+0000. Expected a string without it.",
          param: "metadata.\0", code: "invalid_value"),
        refused(
          "\(keysPath)?\(name)=a&\(name)=a",
          "Invalid '\(name)': the parameter may be given only once.", param: name,
          code: "invalid_value"),
      ]
    }
    + ["key", "order", "before", "metadata[a]", "Limit", "prefix[]"].map { (name: String) in
      unknown(parameter: name, of: keysPath)
    }

  private static let valuesErrors: [APICase] =
    outside("\(valuesPath)?key=k", "limit", ("0", 1), ("101", 100))
    + outside("\(valuesPath)?key=k", "up_to", ("-1", 0), ("10001", 10_000))
    + ["", "?limit=0", "?x=1", "?Key=a", "?prefix=a"].map {
      refused(
        valuesPath + $0, "Missing required parameter: 'key'.", param: "key",
        code: "missing_required_parameter")
    }
    + [
      refused(
        "\(valuesPath)?key=\(long)", longMessage, param: "metadata.\(long)",
        code: "property_name_above_max_length"),
      refused(
        "\(valuesPath)?key=k&x=1", "Unknown parameter: 'x'.", param: "x", code: "unknown_parameter"),
      refused(
        "\(valuesPath)?key=k&key=k", "Invalid 'key': the parameter may be given only once.",
        param: "key", code: "invalid_value"),
    ]
    + ["prefix", "after"].map {
      refused(
        "\(valuesPath)?key=k&\($0)=\(String(repeating: "v", count: 513))",
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got "
          + "a string with length 513 instead.", param: "metadata.k",
        code: "string_above_max_length")
    }

  private static let countErrors: [APICase] =
    outside(countPath, "up_to", ("0", 1), ("1000001", 1_000_000))
    + ["limit", "order", "after", "before", "metadata", "x"].map { (name: String) in
      unknown(parameter: name, of: countPath)
    }
    + [
      refused(
        "\(countPath)?metadata_exists[]=\(long)", longMessage, param: "metadata.\(long)",
        code: "property_name_above_max_length"),
      refused(
        "/v1/conversations?up_to=1", "Unknown parameter: 'up_to'.", param: "up_to",
        code: "unknown_parameter"),
    ]

  /// The paths are not those of conversations.
  private static let facetMethods: [APICase] =
    [keysPath, valuesPath, countPath, "/v1/me"].flatMap { (path: String) in
      ["POST", "PATCH", "DELETE"].map {
        APICase(
          "not allowed: \($0) \(path)", $0, path, body: #"{"metadata":{}}"#,
          expect: .error(
            405,
            "Not allowed to \($0) on \(path). "
              + "(HINT: Perhaps you meant to use a different HTTP method?)",
            code: "method_not_supported", headers: ["allow": "GET, HEAD"]))
      }
    }
}
