import Conversations
import Foundation
import HTTP
import HTTPTypes
import SQLite
import SQLiteStore
import Testing

@testable import API

/// What the OpenAPI document says is what the service does. Its form, and what a running service
/// answers to it, is tested in Tests/sdk/test_openapi.py.
@Suite struct OpenAPITests {
  let document: OpenAPIDocument

  init() throws { document = try OpenAPIDocument() }

  @Test(arguments: Service.Transport.allCases)
  func `the document is served byte for byte`(transport: Service.Transport) async throws {
    let service = try Service(transport)
    let answer = try await service.send("GET", "/openapi.json")
    #expect(answer.status == 200)
    #expect(answer.headers["content-type"] == "application/json")
    #expect(Data(answer.body.utf8) == document.bytes)
    await service.stop()
  }

  @Test func `it has every path and method that there is, HEAD where GET is, and no other`() throws
  {
    let described = document.operations.map { "\($0.method) \($0.path)" }
    // The web page is no part of the API.
    let routed = Route.all.filter { $0.audience != .browsers }.flatMap { route in
      route.operations.flatMap { operation in
        operation.method == .get
          ? ["GET \(route.path)", "HEAD \(route.path)"]
          : ["\(operation.method.rawValue) \(route.path)"]
      }
    }
    #expect(described.sorted() == routed.sorted())
  }

  @Test func `HEAD has the parameters and the answers of GET`() throws {
    let operations = document.operations
    for get in operations where get.method == "GET" {
      let head = try #require(operations.first { $0.path == get.path && $0.method == "HEAD" })
      #expect(head.parameters as NSArray == get.parameters as NSArray)
      #expect(
        head.responses.mapValues(\.definition) as NSDictionary
          == get.responses.mapValues(\.definition) as NSDictionary)
    }
  }

  @Test func `a key is asked for except where everybody is answered`() throws {
    let optional: NSArray = [[:], ["bearer": []]]
    #expect(document.root["security"] as? NSArray == optional)
    #expect(try document.components("securitySchemes")["bearer"]?["scheme"] as? String == "bearer")
    for operation in document.operations {
      let route = try #require(Route.all.first { $0.path == operation.path })
      let isOpen = if case .everybody = route.audience { true } else { false }
      let name = Comment(rawValue: "\(operation.method) \(operation.path)")
      #expect(operation.security == (isOpen ? [] : nil), name)
      let statuses = [401, 403, 429].filter { operation.responses[$0] != nil }
      #expect(statuses == (isOpen ? [] : [401, 403, 429]), name)
      let needsRight =
        switch route.audience {
        case .administrators, .watchers: true
        default: !["GET", "HEAD"].contains(operation.method)
        }
      let codes = operation.responses[403]?.codes ?? []
      #expect(codes.contains("insufficient_permissions") == needsRight, name)
      let names = operation.parameters.compactMap { $0["name"] as? String }
      #expect(names.contains("OpenAI-Project") == !isOpen, name)
    }
  }

  @Test func `every answer has the fields that every answer has`() throws {
    let ofAll = OpenAPIExampleTests.commonHeaders
    let ofPages = ["Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"]
    for (name, response) in document.responses {
      #expect(ofAll.allSatisfy { response.headers[$0] == true }, "\(name)")
      #expect(ofPages.allSatisfy { response.headers[$0] == false }, "\(name)")
    }
  }

  @Test func `query parameters are described where they are read`() throws {
    for operation in document.operations {
      let route = try #require(Route.all.first { $0.path == operation.path })
      let method = operation.method == "HEAD" ? "GET" : operation.method
      let takesQuery = route.operations.contains {
        $0.method.rawValue == method && $0.takesQuery
      }
      let names = operation.parameters.filter { $0["in"] as? String == "query" }.compactMap {
        ($0["name"] as? String)?.replacing("[]", with: "")
      }
      let read =
        switch (operation.path, method) {
        case ("/v1/conversations", _): ListParameters.names
        case ("/v1/conversations/count", _): ListParameters.countNames
        case ("/v1/conversations/metadata_keys", _): FacetParameters.keysNames
        case ("/v1/conversations/metadata_values", _): FacetParameters.valuesNames
        case ("/v1/export", _): ListParameters.exportNames
        case ("/v1/import", _): API.importNames
        case (let path, "GET") where path.hasSuffix("/items"): ItemParameters.names
        case (let path, _) where path.hasSuffix("/metadata_history"): HistoryParameters.names
        default: ["include"]
        }
      #expect(
        names.sorted() == (takesQuery ? read.sorted() : []),
        "\(operation.method) \(operation.path)")
    }
  }

  @Test func `a parameter in the path is one of the route's`() throws {
    for operation in document.operations {
      let names = operation.parameters.filter { $0["in"] as? String == "path" }.compactMap {
        $0["name"] as? String
      }
      #expect(names == operation.path.matches(of: /{(\w+)}/).map { String($0.output.1) })
    }
  }

  @Test func `the query parameters are read as they are described`() throws {
    for (component, parameter) in try document.components("parameters")
    where parameter["in"] as? String == "query" {
      let read = Self.reader(of: component)
      let name = try #require(parameter["name"] as? String)
      let schema = try document.resolved(try #require(parameter["schema"] as? [String: Any]))
      let ofList = (schema["items"] as? [String: Any])?["enum"] as? [String]
      let value =
        ofList?.first ?? (schema["enum"] as? [String])?.first ?? (schema["examples"] as? [String])?
        .first ?? "1"
      let isObject = parameter["style"] as? String == "deepObject"
      let sent = (name: isObject ? "\(name)[k]" : name, value: value)
      #expect(throws: Never.self, "\(sent)") { try read([sent]) }
      let isSingle = !["array", "object"].contains(schema["type"] as? String)
      #expect(isSingle == ((try? read([sent, sent])) == nil), "\(sent)")
    }
  }

  /// Reads the parameters of a route that has a parameter.
  private static func reader(
    of component: String
  ) -> ([(name: String, value: String)]) throws -> Void {
    switch component.split(separator: "_").first {
    case "include" where component == "include_activity": { _ = try ListParameters($0) }
    case "item", "include": { _ = try ItemParameters($0, isList: true) }
    case "keys", "facets": { _ = try FacetParameters(ofKeys: $0) }
    case "values":
      {
        _ = try FacetParameters(
          ofValues: $0 + [("key", "k")].filter { _ in component != "values_key" })
      }
    case "count": { _ = try ListParameters($0, of: .count) }
    case "history": { _ = try HistoryParameters($0) }
    case "export": { _ = try ListParameters($0, of: .export) }
    case "import": { _ = try API.mintsIDs($0) }
    default: { _ = try ListParameters($0) }
    }
  }

  @Test func `the error codes are exactly those that errors are given`() throws {
    let source = try FileManager.default.contentsOfDirectory(
      at: sources, includingPropertiesForKeys: nil
    ).filter {
      $0.lastPathComponent.hasSuffix("Error.swift")
        || $0.lastPathComponent.hasSuffix("ErrorResponse.swift")
    }
    .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    let given = source.matches(of: /code: (?:[^",\n]* \?\? )?"(\w+)"/).map { String($0.output.1) }
    let schema = try #require(try document.components("schemas")["ErrorCode"])
    let described = try #require(schema["oneOf"] as? [[String: String]]).compactMap { $0["const"] }
    #expect(described.count > 20)
    #expect(Set(described).count == described.count)
    #expect(Set(described) == Set(given))

    let answered = Set(document.responses.values.flatMap(\.codes)).compactMap(\.self)
    #expect(answered.sorted() == described.sorted())
  }

  @Test(arguments: APICase.all)
  func `an error of the contract is described where it is answered`(row: APICase) throws {
    let (status, code): (Int, String?)
    switch row.expected {
    case .error(let expected, _, _, let name, _): (status, code) = (expected, name)
    case .hinted(let expected, _, _, let name): (status, code) = (expected, name)
    default: return
    }
    let response = try #require(describedResponse(to: row, status), "\(status)")
    // Without a body there is no code.
    if row.method == "HEAD" { return }
    #expect(response.codes.contains(code), "\(status) \(code ?? "null")")
  }

  /// The described answer of the operation that a row reaches, or of none.
  private func describedResponse(
    to row: APICase, _ status: Int
  ) -> OpenAPIDocument.Response? {
    let request = Request(
      method: HTTPRequest.Method(rawValue: row.method)!, target: RequestTarget(row.target))
    guard let match = try? Route.find(request), (try? match.operation(for: request)) != nil
    else {
      let names = [
        400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "UnknownURL",
        405: "MethodNotAllowed",
      ]
      return names[status].flatMap { document.responses[$0] }
    }
    return document.operations
      .first { $0.path == match.route.path && $0.method == row.method }?.responses[status]
  }

  @Test func `the limits are those of the rules`() throws {
    let schemas = try document.components("schemas")
    let parameters = try document.components("parameters").mapValues {
      $0["schema"] as? [String: Any]
    }
    let query = ConversationQuery()
    let limits: [(Any?, Int)] = [
      (schemas["Metadata"]?["maxProperties"], Metadata.pairsMax),
      (schemas["MetadataKey"]?["maxLength"], Metadata.keyLengthMax),
      (schemas["MetadataValue"]?["maxLength"], Metadata.valueLengthMax),
      (parameters["limit"]??["minimum"], ConversationQuery.limits.lowerBound),
      (parameters["limit"]??["maximum"], ConversationQuery.limits.upperBound),
      (parameters["limit"]??["default"], query.limit),
      (parameters["keys_limit"]??["minimum"], FacetQuery.keysLimits.lowerBound),
      (parameters["keys_limit"]??["maximum"], FacetQuery.keysLimits.upperBound),
      (parameters["keys_limit"]??["default"], FacetQuery(.keys).limit),
      (parameters["values_limit"]??["minimum"], FacetQuery.valuesLimits.lowerBound),
      (parameters["values_limit"]??["maximum"], FacetQuery.valuesLimits.upperBound),
      (parameters["values_limit"]??["default"], FacetQuery(.values(key: "")).limit),
      (parameters["facets_up_to"]??["minimum"], FacetQuery.countLimits.lowerBound),
      (parameters["facets_up_to"]??["maximum"], FacetQuery.countLimits.upperBound),
      (parameters["facets_up_to"]??["default"], FacetQuery(.keys).countLimit),
      (parameters["count_up_to"]??["minimum"], ConversationCount.limits.lowerBound),
      (parameters["count_up_to"]??["maximum"], ConversationCount.limits.upperBound),
      (parameters["count_up_to"]??["default"], ConversationCount.defaultLimit),
      (parameters["metadata"]??["maxProperties"], ConversationQuery.conditionsMax),
      (parameters["metadata_exists"]??["maxItems"], ConversationQuery.conditionsMax),
      (parameters["metadata_absent"]??["maxItems"], ConversationQuery.conditionsMax),
      (parameters["Idempotency-Key"]??["maxLength"], IdempotencyKey.lengthMax),
    ]
    for (index, (described, limit)) in limits.enumerated() {
      #expect(described as? Int == limit, "limit \(index)")
    }
    let values = member(try #require(parameters["metadata"] ?? nil), "additionalProperties")
    #expect(values?["maxItems"] as? Int == ConversationQuery.valuesMax)
    #expect(values?["maxLength"] as? Int == Metadata.valueLengthMax)
    #expect(parameters["order"]??["default"] as? String == query.order.rawValue)
    #expect(parameters["order_by"]??["default"] as? String == query.orderBy.rawValue)
    #expect(
      parameters["order_by"]??["enum"] as? [String]
        == ConversationQuery.Key.allCases.map(\.rawValue))
    let included = parameters["include_activity"]??["items"] as? [String: Any]
    #expect(
      included?["enum"] as? [String] == ConversationQuery.Inclusion.allCases.map(\.rawValue))
    #expect(
      (parameters["order"]??["enum"] as? [String])?.sorted()
        == ConversationQuery.Order.allCases.map(\.rawValue).sorted())
  }
}
