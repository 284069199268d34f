extension APICase {
  private static let newest = "conv_" + String(repeating: "f", count: 48)
  private static let empty =
    #"{"object":"list","data":[],"first_id":null,"has_more":false,"last_id":null}"#

  private static func found(
    _ query: String, _ stored: KeyValuePairs<String, String> = ["topic": "test"]
  ) -> APICase {
    APICase(
      "list: \(query) finds \(stored)", "GET", "/v1/conversations\(query)", stored: stored,
      expect: .ok(
        #"{"object":"list","data":[{existing}],"first_id":"{id}","has_more":false,"#
          + #""last_id":"{id}"}"#
      ))
  }

  private static func notFound(
    _ query: String, _ stored: KeyValuePairs<String, String> = ["topic": "test"]
  ) -> APICase {
    APICase(
      "list: \(query) does not find \(stored)", "GET", "/v1/conversations\(query)", stored: stored,
      expect: .ok(empty))
  }

  /// Contract, section 6: which conversations a query finds, on a store of one. (`ListTests` has
  /// the pages of many.)
  static let lists: [APICase] =
    ["", "?", "?&", "?limit=1", "?limit=100", "?order=asc", "?order=desc&limit=020"].map {
      found($0)
    }
    + [APICase("list: HEAD", "HEAD", "/v1/conversations?limit=5", expect: .ok(""))]
    + cursors + times + conditions + strangeKeys + strangeValues + activity

  private static let cursors: [APICase] =
    [
      "after=\(newest)", "order=asc&before=\(newest)", "order=asc&after={unknown}",
      "before={unknown}", "after=\(newest)&before={unknown}",
      "after=%63onv_\(newest.dropFirst(5))", "order=asc&before=\(newest)&after={unknown}",
    ].map { found("?\($0)") }
    + [
      "after={id}", "before={id}", "order=asc&after={id}", "order=asc&before={id}",
      "before=\(newest)", "after={unknown}", "after={unknown}&before=\(newest)",
      "after={id}&before={id}", "order=asc&after=\(newest)&before={unknown}",
    ].map { notFound("?\($0)") }

  /// The conversation that exists has two items, which were added with it.
  private static let activity: [APICase] =
    [
      ("", ""), ("&order=asc", ""), ("&metadata[topic]=test&limit=1", ""),
      ("&include[]=item_count", #","item_count":2"#),
      ("&include%5B%5D=last_activity_at", #","last_activity_at":{seconds}"#),
      (
        "&include[]=last_activity_at&include[]=item_count&include[]=item_count",
        #","item_count":2,"last_activity_at":{seconds}"#
      ),
      ("&before={unknown}.0000000000000&order=desc", ""), ("&after={unknown}.0000000000000", nil),
      ("&after={unknown}.0000000000000&order=asc", ""), ("&after={id}.fffffffffffff", ""),
      ("&before={id}", nil), ("&after={id}", nil), ("&after={place}", nil),
      ("&before={place}&order=asc", nil), ("&created_at[gt]={seconds}", nil),
      ("&created_at[gte]={seconds}", ""), ("&metadata_absent[]=topic", nil),
    ].map { (query: String, told: String?) in
      let place = told == nil ? "null" : #""{place}""#
      let data = told.map { "{existing-}\($0)}" } ?? ""
      return APICase(
        "list by last activity: \(query)", "GET",
        "/v1/conversations?order_by=last_activity\(query)",
        expect: .ok(
          #"{"object":"list","data":[\#(data)],"first_id":\#(place),"has_more":false,"#
            + #""last_id":\#(place)}"#))
    }
    + [
      APICase(
        "list: what is included", "GET",
        "/v1/conversations?include[]=item_count&include[]=last_activity_at&order_by=created_at",
        expect: .ok(
          #"{"object":"list","data":[{existing-},"item_count":2,"last_activity_at":{seconds}}],"#
            + #""first_id":"{id}","has_more":false,"last_id":"{id}"}"#))
    ]

  private static let times: [APICase] =
    [
      "created_at%5Bgte%5D={seconds}", "created_at[lte]={seconds}", "created_at[gt]=0",
      "created_at[gt]=-1", "created_at[gte]=-99999999999999999999", "created_at[lt]=4294967295",
      "created_at[lte]=9223372036854775807", "created_at[lt]=99999999999999999999",
      "created_at[gte]={seconds}&created_at[lte]={seconds}",
      "created_at[gt]=5&created_at[gte]={seconds}",
      "created_at[lte]=4294967295&created_at[lt]=4294967296",
    ].map { found("?\($0)") }
    + [
      "created_at[gt]={seconds}", "created_at%5Blt%5D={seconds}", "created_at[lt]=0",
      "created_at[lt]=-5", "created_at[gte]=4294967296", "created_at[gt]=4294967295",
      "created_at[gt]=9223372036854775807", "created_at[lte]=-1",
      "created_at[gte]={seconds}&created_at[lt]={seconds}",
      "created_at[gt]={seconds}&created_at[gte]=0",
      "created_at[lt]={seconds}&created_at[lte]=4294967295",
    ].map { notFound("?\($0)") }

  private static let conditions: [APICase] =
    [
      "metadata[a]=1", "metadata%5Ba%5D=1", "metadata[a][]=1", "metadata%5Ba%5D%5B%5D=1",
      "metadata[a]=2&metadata[a]=1", "metadata[a][]=1&metadata[a][]=2",
      "metadata[a][]=3&metadata[a]=1&metadata[a][]=2", "metadata[a]=1&metadata[b]=2",
      "metadata[b]=1&metadata[a]=1&metadata[b]=2", "metadata_exists[]=a",
      "metadata_exists%5B%5D=a&metadata_exists[]=b", "metadata_exists=a", "metadata_absent[]=c",
      "metadata_absent[]=c&metadata_absent[]=", "metadata[a]=1&metadata_exists[]=a",
      "metadata_exists[]=b&metadata[a]=1&metadata_absent[]=x&limit=1&order=asc", sixteenValues,
      sixteenConditions, "\(sixteenValues)&metadata[a]=1&metadata[a]=1",
    ].map { found("?\($0)", ["a": "1", "b": "2"]) }
    + [
      "metadata[a]=2", "metadata[b]=1", "metadata[A]=1", "metadata[a]=", "metadata[a]",
      "metadata[]a]=1", "metadata[%20a]=1", "metadata[a]=1%20", "metadata[a]=1&metadata[b]=1",
      "metadata[a]=1&metadata[c]=1", "metadata_exists[]=c", "metadata_exists[]=",
      "metadata_exists[]=a&metadata_exists[]=c", "metadata_absent[]=a",
      "metadata_absent[]=c&metadata_absent[]=b", "metadata[a]=1&metadata_absent[]=a",
      "metadata_exists[]=a&metadata_absent[]=a",
    ].map { notFound("?\($0)", ["a": "1", "b": "2"]) }

  static let sixteenValues = (1...16).map { "metadata[a]=\($0)" }.joined(separator: "&")

  static let sixteenConditions =
    "metadata[a]=1&metadata_exists[]=b&"
    + (1...14).map { "metadata_absent[]=\($0)" }.joined(separator: "&")

  /// Decoded once; then the key is what stands between the first `[` and the last `]`.
  private static let strangeKeys: [APICase] =
    [
      ("a[b]", "a[b]"), ("a[b]", "a%5Bb%5D"), ("a[]", "a[]"), ("]", "]"), ("[", "["), ("a[", "a["),
      ("a%5Bb", "a%255Bb"), ("a%", "a%25"), ("a b", "a+b"), ("a b", "a%20b"),
      ("a+b", "a%2Bb"), ("&=#?/", "%26%3D%23%3F%2F"), ("\n", "%0A"), ("\r\n\t", "%0D%0A%09"),
      ("\u{7F}", "%7f"), ("😀", "%F0%9F%98%80"), ("\u{E9}", "\u{E9}"), ("\u{E9}", "%C3%A9"),
      ("e\u{301}", "e%CC%81"),
      // What Swift takes for one character with the bracket before or after it.
      ("\u{301}", "%CC%81"), ("\u{1F3FD}", "%F0%9F%8F%BD"), ("\u{200D}x", "%E2%80%8Dx"),
      ("\u{FE0F}", "%EF%B8%8F"), ("x\u{600}", "x%D8%80"),
      (String(repeating: "😀", count: 64), String(repeating: "%F0%9F%98%80", count: 64)),
    ].flatMap { key, encoded in
      [
        found("?metadata[\(encoded)]=v", [key: "v"]),
        found("?metadata%5B\(encoded)%5D%5B%5D=v", [key: "v"]),
      ]
    }
    // The empty key needs the `[]` at the end, since `metadata[]` is a list without a name.
    + [found("?metadata[][]=v", ["": "v"]), found("?metadata[][][]=v", ["][": "v"])]
    + [
      found("?metadata_exists[]=a[b]", ["a[b]": ""]),
      found("?metadata_exists[]=%CC%81", ["\u{301}": ""]),
      notFound("?metadata_absent[]=a%5Bb%5D", ["a[b]": ""]),
      notFound("?metadata_exists[]=%C3%A9", ["e\u{301}": ""]),
      notFound("?metadata[%C3%A9]=v", ["e\u{301}": "v"]),
      notFound("?metadata[e%CC%81]=v", ["\u{E9}": "v"]),
    ]

  private static let strangeValues: [APICase] =
    [
      ("", ""), ("a[b]=c", "a[b]=c"), ("a b", "a+b"), ("a+b", "a%2bb"), ("100%", "100%25"),
      ("a%20b", "a%2520b"), ("&", "%26"), ("\n\u{1}", "%0a%01"), ("😀🏽", "%F0%9F%98%80%F0%9F%8F%BD"),
      ("é", "é"), ("e\u{301}", "e%CC%81"), ("\u{10FFFF}", "%F4%8F%BF%BF"),
      (String(repeating: "é", count: 512), String(repeating: "%C3%A9", count: 512)),
    ].map { value, encoded in found("?metadata[k]=\(encoded)", ["k": value]) }
    + [
      found("?metadata[k]", ["k": ""]),
      notFound("?metadata[k]=a+b", ["k": "a+b"]),
      notFound("?metadata[k]=%C3%A9", ["k": "e\u{301}"]),
      notFound("?metadata[k]=a", ["k": "A"]),
      notFound("?metadata[k]=1", ["k": "1.0"]),
    ]
}
