import CSQLite

/// SQLite's settings of the whole process (https://www.sqlite.org/c3ref/config.html).
public enum Library {
  /// Ends SQLite's count of the memory that it uses, which nothing here asks for. It takes one lock
  /// for all threads at each allocation, a dozen for a read, and event loops would wait for each
  /// other there.
  ///
  /// - Precondition: No connection was opened yet.
  public static func countNoMemory() {
    let code = conversationd_config(SQLITE_CONFIG_MEMSTATUS, 0)
    precondition(code == SQLITE_OK, "a connection was opened before: \(code)")
  }
}
