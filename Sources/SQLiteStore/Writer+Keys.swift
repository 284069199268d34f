internal import Conversations
internal import Repository
internal import SQLite

/// What is written of API keys.
extension Writer {
  /// Writes down when API keys were last used.
  func writeKeyUses(_ uses: [Int64: Int64]) throws(SQLiteError) {
    for (number, time) in uses {
      updateKeyUse.bind(":time", time)
      updateKeyUse.bind(":number", number)
      try updateKeyUse.run()
    }
  }

  /// Stores an API key.
  ///
  /// - Throws: `.apiKey(.nameTaken)`.
  func createAPIKey(
    _ key: APIKey, _ new: NewAPIKey, in project: ProjectID
  ) throws(RepositoryError) -> APIKeyRecord {
    let name = new.name.description
    let taken = try rethrowing { () throws(SQLiteError) in try keys.found(named: name, in: project)
    }
    guard taken == nil else { throw .apiKey(.nameTaken(name)) }
    return try rethrowing { () throws(SQLiteError) in
      try keys.insert(key, new, in: project, now: now())
      defer { selectKey.reset() }
      selectKey.bind(":number", connection.lastInsertedNumber)
      guard try selectKey.step() else { preconditionFailure("the key is there") }
      return APIKeyRecord(row: selectKey)
    }
  }

  /// Revokes an API key.
  ///
  /// - Throws: `.apiKey(.notFound)`, `.apiKey(.isAdmin)`.
  func revokeAPIKey(named name: String, in project: ProjectID) throws(RepositoryError) {
    let found = try rethrowing { () throws(SQLiteError) in try keys.found(named: name, in: project)
    }
    guard let found else { throw .apiKey(.notFound(name)) }
    guard !found.isAdmin else { throw .apiKey(.isAdmin) }
    try rethrowing { () throws(SQLiteError) in try keys.revoke(found.number, now: now()) }
  }
}
