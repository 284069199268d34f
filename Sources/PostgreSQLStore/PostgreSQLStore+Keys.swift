public import Conversations
internal import PostgreSQL
public import Repository

extension PostgreSQLStore {
  /// Makes an API key.
  public func createAPIKey(
    _ new: NewAPIKey, in project: ProjectID
  ) async throws(RepositoryError) -> (key: APIKey, record: APIKeyRecord) {
    let key = APIKey.random()
    let name = new.name.description
    let record = try await write(
      resources: [.apiKeys],
      ask: { questions in
        questions.others.append((questions.request, KeyStatements.begin))
        questions.others.append(
          (questions.request, KeyStatements.prepare(name, in: project.number)))
      },
      decide: { found, changes throws(RepositoryError) in
        guard !found.own.bool(0, 0) else { throw .apiKey(.nameTaken(name)) }
        changes.run(
          KeyStatements.insert(
            key, new, number: found.own.int64(0, 1), in: project.number, now: found.seconds))
        return APIKeyRecord(
          name: name, project: found.own.text(0, 2), rights: new.rights, createdAt: found.seconds,
          expiresAt: new.expiresAt, lastUsedAt: nil, isRevoked: false,
          firstCharacters: key.firstCharacters, requestsPerMinute: new.requestsPerMinute)
      })
    return (key, record)
  }

  /// Revokes an API key, for good.
  public func revokeAPIKey(
    named name: String, in project: ProjectID
  ) async throws(RepositoryError) {
    guard !name.utf8.contains(0) else { throw .apiKey(.notFound(name)) }
    try await write(
      resources: [.apiKeys],
      ask: { questions in
        questions.others.append((questions.request, KeyStatements.find(name, in: project.number)))
      },
      decide: { found, changes throws(RepositoryError) in
        guard found.own.count == 1 else { throw .apiKey(.notFound(name)) }
        guard !found.own.bool(0, 1) else { throw .apiKey(.isAdmin) }
        changes.run(KeyStatements.revoke(found.own.int64(0, 0), now: found.seconds))
      })
  }

  /// Reads what is known of the keys of a project that are not revoked, by their names.
  public func apiKeys(in project: ProjectID) async throws(RepositoryError) -> [APIKeyRecord] {
    try await query { session throws(RepositoryError) in
      let rows = try session.run([QueryStatements.findKeys.call { $0.add(project.number) }])[0]
      return (0..<rows.count).map { APIKeyRecord(rows, $0) }
    }
  }

  /// Whether an API key was ever created, as of this moment.
  public func hasAPIKeys() async throws(RepositoryError) -> Bool {
    try await query { session throws(RepositoryError) in
      try session.run([QueryStatements.hasKeys.call()])[0].bool(0, 0)
    }
  }

  /// Writes down when API keys were last used, all that were since the last time in one write.
  public func writeKeyUses() async throws(RepositoryError) {
    let uses = keyUses.take()
    guard !uses.isEmpty else { return }
    do {
      try await write(
        resources: [],
        ask: { questions in
          questions.others.append((questions.request, KeyStatements.lock(uses.keys.sorted())))
        },
        decide: { _, changes in changes.run(KeyStatements.note(uses)) })
    } catch {
      keyUses.giveBack(uses)
      throw error
    }
  }
}
