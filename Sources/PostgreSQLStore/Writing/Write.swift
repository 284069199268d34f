internal import Repository

/// A request to write that waits for its group.
struct Write: LaneRequest {
  /// What two requests of this program do not use at the same time.
  enum Resource: Hashable, Sendable {
    case conversation(ConversationKey)
    case creationKey(NameKey)
    case appendKey(NameKey)
    /// The API keys, whose numbers are unique over all projects.
    case apiKeys
    /// What stops all other lanes.
    case imports
  }

  /// Tells a request how its group ended: its own result, unless there is an error.
  typealias Completion = @Sendable (RepositoryError?) -> Void

  let resources: [Resource]
  let bytes: Int
  /// Says what it needs to know.
  let ask: @Sendable (inout Questions) -> Void
  /// Decides what it changes. May run several times, of which the last counts.
  let decide: @Sendable (Found, inout Changes) -> Completion
  /// Answers a request that is not decided.
  let refuse: Completion
  let queuedAt = ContinuousClock.now

  /// - Parameters:
  ///   - decide: Refuses what it refuses before its first change.
  ///   - answer: Gets the result.
  init<Value: Sendable>(
    resources: [Resource], bytes: Int = 0,
    ask: @escaping @Sendable (inout Questions) -> Void,
    decide: @escaping @Sendable (Found, inout Changes) throws(RepositoryError) -> Value,
    answer: @escaping @Sendable (Result<Value, RepositoryError>) -> Void
  ) {
    self.resources = resources
    self.bytes = bytes
    self.ask = ask
    self.decide = { found, changes in
      let result: Result<Value, RepositoryError>
      do throws(RepositoryError) {
        result = .success(try decide(found, &changes))
      } catch {
        result = .failure(error)
      }
      return { error in answer(error.map { .failure($0) } ?? result) }
    }
    refuse = { error in
      guard let error else { preconditionFailure("a request that was not decided has no result") }
      answer(.failure(error))
    }
  }
}
