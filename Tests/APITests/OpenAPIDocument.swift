import Foundation
import HTTPTypes
import Testing

@testable import API

/// The OpenAPI document, as far as the tests look into it.
struct OpenAPIDocument {
  typealias Object = [String: Any]

  let bytes: Data
  let root: Object
  /// Every operation there is, with its references followed.
  let operations: [Operation]
  /// The answers that have a name.
  let responses: [String: Response]

  /// Read once, since it is large and a thousand tests look into it; nobody changes it.
  private nonisolated(unsafe) static let shared = Result {
    try OpenAPIDocument(
      bytes: Data(contentsOf: sources.appending(path: "openapi.json")))
  }

  /// The file in the sources.
  init() throws { self = try Self.shared.get() }

  private init(bytes: Data) throws {
    self.bytes = bytes
    let root = try #require(try JSONSerialization.jsonObject(with: bytes) as? Object)
    self.root = root
    operations = try Self.operations(of: root)
    responses = try Self.components("responses", of: root).mapValues {
      try Self.response($0, in: root)
    }
  }

  /// One method of one path.
  struct Operation {
    let path: String
    let method: String
    let parameters: [Object]
    let requestBody: Object?
    /// Who may use it, where that is not what the whole document says.
    let security: NSArray?
    /// By status.
    let responses: [Int: Response]
  }

  /// One answer of an operation, or one that any request may get.
  struct Response {
    let definition: Object

    /// The fields that are described, and whether each is always there.
    let headers: [String: Bool]

    /// The codes that an error of this kind may have; empty when it is none.
    var codes: Set<String?> {
      let parts = schema?["allOf"] as? [Object] ?? []
      let codes = parts.compactMap { member($0, "properties", "error", "properties", "code") }
      return Set(codes.flatMap { $0["enum"] as? [Any] ?? [] }.map { $0 as? String })
    }

    /// What is answered, by the examples' names; an only example has the name "".
    var examples: [String: NSDictionary] {
      if let example = content?["example"] { return ["": example as! NSDictionary] }
      return (content?["examples"] as? [String: Object] ?? [:]).mapValues {
        $0["value"] as! NSDictionary
      }
    }

    private var content: Object? { member(definition, "content", "application/json") }
    private var schema: Object? { content?["schema"] as? Object }
  }

  private static func operations(of root: Object) throws -> [Operation] {
    try #require(root["paths"] as? [String: Object]).flatMap { path, item in
      let shared = item["parameters"] as? [Object] ?? []
      return try item.filter { $0.key != "parameters" }.map { method, value in
        let operation = try #require(value as? Object)
        let own = operation["parameters"] as? [Object] ?? []
        let responses = try #require(operation["responses"] as? [String: Object])
        return Operation(
          path: path, method: method.uppercased(),
          parameters: try (shared + own).map { try resolved($0, in: root) },
          requestBody: operation["requestBody"] as? Object,
          security: operation["security"] as? NSArray,
          responses: Dictionary(
            uniqueKeysWithValues: try responses.map {
              (try #require(Int($0)), try response($1, in: root))
            }))
      }
    }
  }

  /// The parts of one kind that have a name.
  func components(_ kind: String) throws -> [String: Object] {
    try Self.components(kind, of: root)
  }

  private static func components(_ kind: String, of root: Object) throws -> [String: Object] {
    try #require(member(root, "components", kind) as? [String: Object])
  }

  /// The object itself, or what it refers to.
  func resolved(_ object: Object) throws -> Object { try Self.resolved(object, in: root) }

  private static func resolved(_ object: Object, in root: Object) throws -> Object {
    guard let reference = object["$ref"] as? String else { return object }
    let names = reference.split(separator: "/").dropFirst().map(String.init)
    return try names.reduce(root) { try #require($0[$1] as? Object, "\(reference)") }
  }

  private static func response(_ object: Object, in root: Object) throws -> Response {
    let definition = try resolved(object, in: root)
    let headers = try (definition["headers"] as? [String: Object] ?? [:]).mapValues {
      try resolved($0, in: root)["required"] as? Bool ?? false
    }
    return Response(definition: definition, headers: headers)
  }
}

/// Where the API's sources are.
let sources = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "../../Sources/API").standardizedFileURL

/// What a path of names leads to, if it leads to an object.
func member(_ object: OpenAPIDocument.Object, _ names: String...) -> OpenAPIDocument.Object? {
  names.reduce(object) { $0?[$1] as? OpenAPIDocument.Object }
}
