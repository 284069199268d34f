import Conversations
import Foundation
import HTTP
import HTTPTypes
import Repository
import SQLiteStore
import Testing

@testable import API

/// The examples in the OpenAPI document are what the service answers, to the letter.
@Suite struct OpenAPIExampleTests {
  let document: OpenAPIDocument

  init() throws { document = try OpenAPIDocument() }

  /// An error for each example that is one, by the example's name.
  static let errors: [String: APIError] = [
    "malformed_url": error(target: "/v1/conversations/%zz"),
    "unknown_parameter": .unknownParameter("include"),
    "ambiguous_body": .ambiguousBody,
    "limit_too_large": .parameter(.tooLarge(name: "limit", value: "1000", largest: 100)),
    "limit_too_small": .parameter(.tooSmall(name: "limit", value: "0", smallest: 1)),
    "limit_not_an_integer": .parameter(.notAnInteger(name: "limit", value: "x")),
    "unknown_order": .parameter(.notAChoice(name: "order", value: "up", choices: ["asc", "desc"])),
    "given_twice": .parameter(.repeated("limit")),
    "malformed_cursor": .parameter(.notAnID(name: "after", value: "conv_123")),
    "malformed_place": .parameter(.notAPlace(name: "after", value: "conv_123")),
    "place_not_found": .repository(
      .cursorNotFound(.after, ConversationID("conv_" + String(repeating: "0", count: 48))!)),
    "too_many_conditions": .parameter(.query(.tooManyConditions)),
    "too_many_values": .parameter(.query(.tooManyValues(key: "user"))),
    "include_not_a_list": .parameter(.notAList(name: "include")),
    "unknown_include": .parameter(
      .notAChoice(name: "include", value: "x", choices: ItemParameters.includable)),
    "no_items": itemsError(of: #"{"items":[]}"#),
    "too_many_items": .item(.tooMany(count: 21)),
    "without_role": itemsError(of: #"{"items":[{"type":"message","content":""}]}"#),
    "empty_reasoning": itemsError(of: #"{"items":[{"type":"reasoning","summary":[]}]}"#),
    "item_there": .repository(.item(.alreadyInConversation)),
    "item_not_found": .repository(.item(.notFound(id: "msg_x"))),
    "reference_not_found": .repository(.item(.referenceNotFound(id: "msg_x"))),
    "malformed_version": .parameter(.notAVersion(name: "after", value: "v1")),
    "restore_with_metadata": .unknownParameter("metadata"),
    "version_not_found": .repository(.metadataVersion(.notFound(id: "1782518200123456"))),
    "cursor_not_found": .repository(.item(.cursorNotFound(.after, id: "msg_x"))),
    "too_many_pairs": .metadata(.tooManyPairs(count: 17)),
    "long_key": .metadata(.keyTooLong(key: String(repeating: "k", count: 65), length: 65)),
    "long_value": .metadata(.valueTooLong(key: "topic", length: 513)),
    "not_json": error(of: "{'metadata': {}}"),
    "malformed_idempotency_key": .malformedIdempotencyKey,
    "missing": .body(.missingParameter("metadata")),
    "without_key": .parameter(.missing("key")),
    "value_not_a_string": error(of: #"{"metadata":{"count":1}}"#),
    "unsupported_content_encoding": .body(.unsupportedContentEncoding("gzip")),
    "unsupported_content_type": .body(
      .unsupportedContentType(
        "text/plain", supported: [RequestBody.json])),
    "too_many_pairs_afterwards": .metadata(.tooManyPairs(count: 17)),
    "unsupported_media_type": .body(
      .unsupportedContentType(
        "text/plain", supported: [RequestBody.mergePatch, RequestBody.json])),
    "missing_key": .access(.missingKey),
    "incorrect_key": .access(.incorrectKey("sk-abcdefghijklmnopqrstuvwxyz")),
    "other_project": .access(.otherProject(own: "default")),
    "read_only": .access(.keyIsReadOnly),
    "no_admin": .access(.keyIsNotAdmin),
    "admin_key": .repository(.apiKey(.isAdmin)),
    "metrics_of_all_projects": .access(.metricsAreOfAllProjects),
    "key_not_found": .repository(.apiKey(.notFound("crm"))),
    "name_taken": .repository(.apiKey(.nameTaken("crm"))),
    "long_name": keyError(
      of: #"{"name":"\#(String(repeating: "n", count: 65))","rights":"read_only"}"#),
    "name_of_no_use": keyError(of: #"{"name":"","rights":"read_only"}"#),
    "unknown_rights": keyError(of: #"{"name":"crm","rights":"write"}"#),
    "expiry_not_an_integer": keyError(
      of: #"{"name":"crm","rights":"read_only","expires_at":"tomorrow"}"#),
    "rate_limited": .access(
      .rateLimited(
        RateLimit.Allowance(
          limit: 60, remaining: 0, reset: .seconds(60), retryAfter: .milliseconds(800)))),
    "host": .access(.hostNotLoopback("example.com")),
    "origin": .access(.originNotOwn("http://example.com")),
    "not_found": .conversationNotFound(id: "conv_" + String(repeating: "0", count: 48)),
    "unknown_url": .unknownRoute(method: .post, path: "/v1/x"),
    "method_not_allowed": .methodNotAllowed(
      method: .put, path: "/v1/conversations", allowed: [.get, .head, .post]),
    "if_match": .repository(.preconditionFailed(.ifMatch)),
    "if_none_match": .repository(.preconditionFailed(.ifNoneMatch)),
    "headers_too_large": .headersTooLarge(bytesMax: 32_768),
    "too_large": .bodyTooLarge(bytesMax: 16 << 20),
    "no_room": .noRoom,
    "reused": .repository(.idempotencyKeyReused),
    "unforeseen": .repository(.storage(engineError)),
    "unreadable": .repository(.unreadableConversation(conversation.id)),
    "unforeseen_in_a_write": .repository(.storage(engineError)),
    "unknown_commit": .repository(.commitUnknown(engineError)),
    "locked": .repository(.unavailable(.locked)),
    "timeout": .repository(.queryTimeout),
    "queue_full": .repository(.unavailable(.queueFull(writesMax: 4096))),
    "disk_full": .repository(.storageFull(engineError)),
    "line_without_id": .line(3, .body(.missingParameter("id"))),
    "line_of_the_future": .line(3, .repository(.laterThanNow(record: 0))),
    "not_ready": .notReady(.unavailable(.locked)),
    "draining": .draining,
  ]

  @Test func `every example of an error is named once, and is tried`() throws {
    let names = document.responses.values.flatMap(\.examples.keys).filter { $0 != "" }
    #expect(names.sorted() == Self.errors.keys.sorted())
  }

  @Test(arguments: errors.keys.sorted())
  func `an error is answered as in its example`(name: String) throws {
    let answer = ErrorResponse(try #require(Self.errors[name]))
    let (key, described) = try #require(
      document.responses.first { $0.value.examples.keys.contains(name) })
    #expect(try answered(answer.response) == described.examples[name])

    let statuses = document.operations.flatMap { operation in
      operation.responses.filter {
        $0.value.definition as NSDictionary == described.definition as NSDictionary
      }
      .map(\.key)
    }
    let ofNone = ["UnknownURL": 404, "MethodNotAllowed": 405]
    #expect(Set(statuses) == (ofNone[key] == nil ? [answer.status.code] : []))
    #expect(ofNone[key, default: answer.status.code] == answer.status.code)

    // Those that every answer has are seen on a real connection.
    let given = Set(answer.headers.map { $0.name.canonicalName })
    let headers = described.headers.filter { !Self.commonHeaders.contains($0.key) }
    #expect(given.isSubset(of: headers.keys.map { $0.lowercased() }))
    #expect(given.isSuperset(of: headers.filter(\.value).keys.map { $0.lowercased() }))
  }

  @Test func `a conversation is answered as in the examples`() throws {
    let conversation = Self.conversation
    let page = {
      var page = ConversationPage()
      page.listed = [ListedConversation(conversation)]
      return page
    }()
    let answers: [String: JSONBody] = [
      "Conversation": .conversation(conversation), "Created": .conversation(conversation),
      "Item": .item(Self.item), "ItemPage": .items([Self.item], hasMore: false),
      "ItemsAdded": .items([Self.item], hasMore: false),
      "Count": .count(ConversationCount(10_000, isExact: false)),
      "MetadataKeys": .metadataKeys(
        Self.facets(Facet("topic", count: ConversationCount(10_000, isExact: false)))),
      "MetadataValues": .metadataValues(
        Self.facets(Facet("demo", count: ConversationCount(2, isExact: true)))),
      "MetadataHistory": .metadataHistory(Self.history),
      "Page": .list(page, of: ConversationQuery()), "Deleted": .deletion(of: conversation.id),
      "Imported": .importReport(
        [.created(conversation.id), .created(conversation.id), .unchanged, .outOfOrder],
        of: Array(repeating: ConversationRecord(conversation), count: 4), lines: [1, 2, 3, 4]),
      "Status": .statusOK,
    ]
    for (name, body) in answers {
      let example = document.responses[name]?.examples[""]
      #expect(try answered(Response(json: body)) == example, "\(name)")
    }
    var line: [UInt8] = []
    ExportLine.append(ConversationRecord(conversation), to: &line)
    let lines = try document.components("responses")["Exported"]
    let content = try #require(member(lines ?? [:], "content", "application/x-ndjson"))
    #expect(content["example"] as? String == String(decoding: line, as: UTF8.self))
    let header = try document.components("headers")["ETag"]
    #expect(header?["example"] as? String == conversation.contentHash.entityTag)
  }

  @Test func `the allowed methods are those of the path in the example`() throws {
    let request = Request(method: .put, target: RequestTarget("/v1/conversations"))
    let match = try Route.find(request)
    do {
      _ = try match.operation(for: request)
      Issue.record("PUT is allowed")
    } catch {
      let allow = ErrorResponse(error).headers[.allow]
      let header = try document.components("headers")["Allow"]
      #expect(header?["example"] as? String == allow)
    }
  }

  static let commonHeaders = [
    "x-request-id", "openai-version", "openai-processing-ms", "Cache-Control",
    "X-Content-Type-Options",
  ]

  /// The one in every example.
  static let conversation = Conversation(
    id: ConversationID("conv_6a3f11765ab88196bb163daa1e6dc3030eea6ca4e48c1c16")!,
    metadata: try! Metadata([
      Metadata.Pair(key: "topic", value: "demo"), Metadata.Pair(key: "user", value: "u1"),
    ]))

  private static let history = {
    var page = MetadataHistoryPage()
    page.versions = [
      MetadataVersion(
        number: 1_782_518_200_123_456, metadata: conversation.metadata,
        author: ChangeAuthor(
          keyName: "support", requestID: "req_0123456789abcdef0123456789abcdef"))
    ]
    return page
  }()

  private static func facets(_ facet: Facet) -> FacetPage {
    var page = FacetPage()
    page.facets = [facet]
    return page
  }

  private static let item = Item(
    id: ItemID("msg_6b09c592060504a999125ff2410aec4a8d8b1ad0f64afba9")!, type: "message",
    fields: Array(
      #"{"status":"completed","role":"user","content":[{"type":"input_text","text":"Hello"}]}"#.utf8
    ))

  /// Any; what a client is told does not depend on it.
  private static let engineError = EngineError(.other, "out of order")

  private static func error(target: String) -> APIError {
    do throws(APIError) {
      _ = try Route.find(Request(method: .get, target: RequestTarget(target)))
      preconditionFailure("'\(target)' is a route's")
    } catch {
      return error
    }
  }

  private static func error(of body: String) -> APIError {
    let request = Request(
      method: .post, target: RequestTarget("/v1/conversations"), body: .bytes(Array(body.utf8)))
    do throws(APIError) {
      _ = try RequestBody(request).creation(itemReader)
      preconditionFailure("'\(body)' is right")
    } catch {
      return error
    }
  }

  private static func itemsError(of body: String) -> APIError {
    let request = Request(
      method: .post, target: RequestTarget("/v1/conversations/x/items"),
      body: .bytes(Array(body.utf8)))
    do throws(APIError) {
      _ = try RequestBody(request).append(itemReader)
      preconditionFailure("'\(body)' is right")
    } catch {
      return error
    }
  }

  private static func keyError(of body: String) -> APIError {
    let request = Request(
      method: .post, target: RequestTarget("/v1/api_keys"), body: .bytes(Array(body.utf8)))
    do throws(APIError) {
      _ = try RequestBody(request).newKey(now: 0, by: .withoutKey)
      preconditionFailure("'\(body)' is right")
    } catch {
      return error
    }
  }

  private static let itemReader = ItemReader(types: ItemTypes(), unixSeconds: 0)

  private func answered(_ response: Response) throws -> NSDictionary? {
    try JSONSerialization.jsonObject(with: Data(response.body)) as? NSDictionary
  }
}
