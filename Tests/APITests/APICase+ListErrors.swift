extension APICase {
  private static func refused(
    _ query: String, _ message: String, param: String?, code: String
  ) -> APICase {
    APICase(
      "list refused: \(query)", "GET", "/v1/conversations?\(query)",
      expect: .error(400, message, param: param, code: code))
  }

  /// Contract, section 6: the errors.
  static let listErrors: [APICase] =
    limits + integers + words + cursors + activity + repeated + unknown + conditions + rules + order

  private static let limits: [APICase] =
    ["101", "1000", "99999999999999999999"].map {
      refused(
        "limit=\($0)",
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got \($0) "
          + "instead.", param: "limit", code: "integer_above_max_value")
    }
    + ["0", "-1", "-99999999999999999999"].map {
      refused(
        "limit=\($0)",
        "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got \($0) "
          + "instead.", param: "limit", code: "integer_below_min_value")
    }

  private static let integers: [APICase] =
    ["limit", "created_at[gte]", "created_at[gt]", "created_at[lte]", "created_at[lt]"]
    .flatMap { (name: String) in
      [
        ("x", "a string"), ("", "a string"), ("-", "a string"), ("--1", "a string"),
        ("%2B1", "a string"), ("1+", "a string"), ("0x1", "a string"), ("%D9%A1", "a string"),
        ("1_0", "a string"), ("[1]", "a string"), ("1%00", "a string"), ("1.0", "a decimal number"),
        ("1e1", "a decimal number"),
      ].map { value, got in
        refused(
          "\(name)=\(value)",
          "Invalid type for '\(name)': expected an integer, but got \(got) instead.", param: name,
          code: "invalid_type")
      }
    }

  private static let words: [APICase] = ["up", "", "DESC", "desc "].map {
    refused(
      "order=\($0.replacing(" ", with: "+"))",
      "Invalid value: '\($0)'. Supported values are: 'asc' and 'desc'.", param: "order",
      code: "invalid_value")
  }

  private static let cursors: [APICase] = ["after", "before"].flatMap { (name: String) in
    [
      ("", ""), ("x", "x"), ("12345678901234567890", "12345678901234567890"),
      ("123456789012345678901", "123...901"),
      ("conv_\(String(repeating: "0", count: 47))", "con...000"),
      ("conv_\(String(repeating: "0", count: 49))", "con...000"),
      ("conv_\(String(repeating: "A", count: 48))", "con...AAA"),
      ("conv_\(String(repeating: "g", count: 48))", "con...ggg"),
      ("CONV_\(String(repeating: "0", count: 48))", "CON...000"),
      ("msg_\(String(repeating: "0", count: 48))", "msg...000"),
    ].map { value, shown in
      refused(
        "\(name)=\(value)",
        "Invalid '\(name)': '\(shown)' is not the id of a conversation. Expected 'conv_' and 48 "
          + "lower-case hexadecimal digits.", param: name, code: "invalid_value")
    }
  }

  private static let activity: [APICase] =
    ["", "x", "last_activity ", "Created_at"].map {
      refused(
        "order_by=\($0.replacing(" ", with: "+"))",
        "Invalid value: '\($0)'. Supported values are: 'created_at' and 'last_activity'.",
        param: "order_by", code: "invalid_value")
    }
    + [
      refused(
        "include[]=metadata",
        "Invalid value: 'metadata'. Supported values are: 'item_count' and 'last_activity_at'.",
        param: "include", code: "invalid_value"),
      refused(
        "include=item_count",
        "Invalid type for 'include': expected an array of strings, but got a string instead.",
        param: "include", code: "invalid_type"),
      refused(
        "after={unknown}.0000000000000",
        "Invalid 'after': 'con...000' is not the id of a conversation. Expected 'conv_' and 48 "
          + "lower-case hexadecimal digits.", param: "after", code: "invalid_value"),
    ]
    + ["after", "before"].flatMap { (name: String) in
      [
        ("", ""), ("x", "x"), ("{unknown}.", "con...00."),
        ("{unknown}.000000000000", "con...000"), ("{unknown}.00000000000000", "con...000"),
        ("{unknown}.000000000000G", "con...00G"), ("{unknown}:0000000000000", "con...000"),
        ("{unknown}%D8%80.0000000000000", "con...000"),
      ].flatMap { (value: String, shown: String) in
        // Wherever the order is named.
        ["order_by=last_activity&\(name)=\(value)", "\(name)=\(value)&order_by=last_activity"].map {
          refused(
            $0,
            "Invalid '\(name)': '\(shown)' is no place in this order. Expected 'conv_' and 48 "
              + "lower-case hexadecimal digits, or these with '.' and 13 more.", param: name,
            code: "invalid_value")
        }
      }
        + [
          APICase(
            "list refused: \(name) has no place", "GET",
            "/v1/conversations?order_by=last_activity&\(name)={unknown}",
            expect: .error(404, "Conversation with id '{unknown}' not found.", param: name))
        ]
    }

  private static let repeated: [APICase] = [
    ("order_by", "created_at", "last_activity"),
    ("limit", "5", "5"), ("limit", "5", "6"), ("order", "asc", "desc"),
    ("after", "{unknown}", "{unknown}"), ("before", "{unknown}", "{unknown}"),
    ("created_at[gte]", "1", "1"), ("created_at[gt]", "1", "2"), ("created_at[lte]", "1", "1"),
    ("created_at[lt]", "1", "1"),
  ].map { (name: String, first: String, second: String) in
    refused(
      "\(name)=\(first)&metadata[a]=1&\(name)=\(second)",
      "Invalid '\(name)': the parameter may be given only once.", param: name,
      code: "invalid_value")
  }

  /// A filter is never silently ignored.
  private static let unknown: [APICase] = [
    ("x", "x=1"), ("x", "x"), ("", "=1"), ("Limit", "Limit=5"), ("limit[]", "limit[]=5"),
    ("after[]", "after[]=1"), ("metadata", "metadata=1"), ("metadata[]", "metadata[]=1"),
    ("metadata[a", "metadata[a=1"), ("metadata[]]x", "metadata[]]x=1"),
    ("metadata]a[", "metadata]a[=1"),
    ("metadata.a", "metadata.a=1"), ("metadata[a]x", "metadata[a]x=1"),
    (" metadata[a]", "+metadata[a]=1"),
    ("metadata_exists[a]", "metadata_exists[a]=1"), ("metadata_exist[]", "metadata_exist[]=a"),
    ("Metadata_absent[]", "Metadata_absent[]=a"), ("created_at", "created_at=5"),
    ("created_at[eq]", "created_at[eq]=5"), ("created_at[gte][]", "created_at[gte][]=5"),
    ("a\0\n😀", "a%00%0A%F0%9F%98%80=1"),
  ].map { (name: String, query: String) in
    refused(query, "Unknown parameter: '\(name)'.", param: name, code: "unknown_parameter")
  }

  private static let conditions: [APICase] =
    [
      "metadata[x]=1", "metadata_exists[]=a", "metadata_exists=x", "metadata_absent[]=x",
    ].map {
      refused(
        "\(sixteenConditions)&\($0)",
        "Invalid query: too many conditions. Expected at most 16 keys in 'metadata', "
          + "'metadata_exists' and 'metadata_absent' together.", param: "metadata",
        code: "object_above_max_properties")
    }
    + [
      refused(
        "\(sixteenValues)&metadata[a][]=17",
        "Invalid 'metadata.a': array too long. Expected an array with maximum length 16.",
        param: "metadata.a", code: "array_above_max_length")
    ]

  /// A key or value that no set can have is a mistake, not a search that finds nothing.
  private static let rules: [APICase] =
    ["metadata[\(long)]=", "metadata_exists[]=\(long)", "metadata_absent[]=\(long)"].map {
      refused(
        $0,
        "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with "
          + "maximum length 64, but got a string with length 65 instead.",
        param: "metadata.\(long)", code: "property_name_above_max_length")
    }
    + ["metadata[a%00b]=", "metadata_exists[]=a%00b", "metadata_absent[]=a%00b"].map {
      refused(
        $0,
        "Invalid property name in 'metadata': 'a\0b' contains U+0000. Expected a string without "
          + "it.", param: "metadata.a\0b", code: "invalid_value")
    }
    + [
      refused(
        "metadata[k]=\(String(repeating: "%C3%A9", count: 513))",
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got "
          + "a string with length 513 instead.", param: "metadata.k",
        code: "string_above_max_length"),
      refused(
        "metadata[k]=%00",
        "Invalid 'metadata.k': string contains U+0000. Expected a string without "
          + "it.", param: "metadata.k", code: "invalid_value"),
      refused(
        "metadata[k]=a%FF", "Invalid URL: 'a%FF' is not the percent-encoding of UTF-8 text.",
        param: "metadata[k]", code: "invalid_value"),
      refused(
        "metadata[%FF]=a",
        "Invalid URL: 'metadata[%FF]' is not the percent-encoding of UTF-8 text.", param: nil,
        code: "invalid_value"),
      refused(
        "metadata[k]=%4", "Invalid URL: '%4' is not the percent-encoding of UTF-8 text.",
        param: "metadata[k]", code: "invalid_value"),
    ]

  private static let order: [APICase] = [
    refused(
      "limit=0&order=up",
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
      param: "limit", code: "integer_below_min_value"),
    refused(
      "order=up&limit=0", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.",
      param: "order", code: "invalid_value"),
    APICase("list refused: HEAD", "HEAD", "/v1/conversations?limit=0", expect: .error(400, "")),
  ]

  private static let long = String(repeating: "k", count: 65)
}
