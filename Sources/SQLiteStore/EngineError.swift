internal import Repository
internal import SQLite

/// Runs SQLite calls in a function that throws the errors of every engine.
func rethrowing<T>(_ body: () throws(SQLiteError) -> T) throws(RepositoryError) -> T {
  do {
    return try body()
  } catch {
    throw RepositoryError(EngineError(error))
  }
}

extension EngineError {
  init(_ error: SQLiteError) {
    self.init(Kind(error.kind), error.description)
  }
}

extension EngineError.Kind {
  fileprivate init(_ kind: SQLiteError.Kind) {
    self =
      switch kind {
      case .busy: .busy
      case .full: .full
      case .io: .io
      case .constraint: .constraint
      case .notADatabase: .notADatabase
      case .corrupt: .corrupt
      case .cannotOpen: .cannotOpen
      case .readOnly: .readOnly
      case .memory: .memory
      case .other: .other
      }
  }
}
