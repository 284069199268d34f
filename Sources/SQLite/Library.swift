import CSQLite

/// SQLite's settings of the whole process (https://www.sqlite.org/c3ref/config.html).
public enum Library {
  /// The version of SQLite that runs here, such as `3.40.1`.
  public static var version: String { String(cString: sqlite3_libversion()) }

  /// Keeps threads that read at the same time from waiting for each other, as far as settings can.
  ///
  /// SQLite no longer counts the memory that it uses, which nothing here asks for: it takes one lock
  /// for all threads at each allocation, a dozen for a read. And a thread that finds a lock taken
  /// tries again a hundred times before it sleeps: all readers of a file share the lock under which a
  /// read transaction begins and ends, for a call of fcntl each, which is over before a thread that
  /// sleeps would be woken. With two event loops one of them slept at every tenth read.
  ///
  /// - Precondition: No connection was opened yet.
  public static func prepareForManyThreads() {
    let code = conversationd_configure()
    precondition(code == SQLITE_OK, "SQLite takes no settings any more: \(code)")
  }
}
