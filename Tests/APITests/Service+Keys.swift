import Conversations
import Repository
import SQLiteStore
import TestSupport

extension Service {
  /// Makes an API key beside the service, as `conversationd keys create` does.
  ///
  /// - Returns: The key.
  func makeKey(
    _ name: String = "key", project: String = "default", isReadOnly: Bool = false,
    isAdmin: Bool = false, now: Int64 = UnixTime.seconds(), lifetimeSeconds: Int64? = nil
  ) throws -> String {
    let rights: APIKeyRights = isAdmin ? .admin : isReadOnly ? .readOnly : .readWrite
    if let database {
      return try database.makeKey(
        name, project: project, rights: rights, lifetimeSeconds: lifetimeSeconds, now: now)
    }
    return try APIKeys(path: databasePath, now: now).create(
      name: name, project: project, rights: rights, lifetimeSeconds: lifetimeSeconds
    ).text
  }

  func revokeKey(_ name: String, project: String? = nil) throws {
    if let database { return try database.revokeKey(name, project: project) }
    try APIKeys(path: databasePath).revoke(name: name, project: project)
  }

  /// Sends a request with an API key.
  func send(
    _ method: String, _ target: String, key: String,
    headers: [(name: String, value: String)] = [], json: String = "", hasContent: Bool = true
  ) async throws -> Answer {
    try await send(
      method, target, headers: [("Authorization", "Bearer \(key)")] + headers,
      body: Array(json.utf8), hasContent: hasContent)
  }
}

extension Service.Answer {
  /// All ids of conversations in the body, in its order.
  var ids: [String] {
    body.matches(of: /"id":"(conv_[0-9a-f]{48})"/).map { String($0.output.1) }
  }
}
