import Synchronization

/// What SIGHUP does to the settings of a server.
///
/// A class, since the tasks of a server share it.
final class Reload: Sendable {
  private let inUse: Mutex<SettingsInUse>
  private let logLevel: LogLevel
  private let read: @Sendable () throws(Failure) -> SettingLayers

  /// - Parameters:
  ///   - inUse: The settings with which the server was started.
  ///   - logLevel: That of the server's log.
  ///   - read: Reads all layers again.
  init(
    _ inUse: SettingsInUse, logLevel: LogLevel,
    read: @escaping @Sendable () throws(Failure) -> SettingLayers
  ) {
    self.inUse = Mutex(inUse)
    self.logLevel = logLevel
    self.read = read
  }

  /// The settings that count now.
  var settings: Settings { inUse.withLock { $0.settings } }

  /// Reads the settings again and takes over what may change.
  ///
  /// The log writes what both its levels let through until `useLogLevel` is called, so that the change
  /// itself can be told.
  ///
  /// - Returns: What is another value than before.
  /// - Throws: `Failure` when they are wrong; then nothing changes.
  func perform() throws(Failure) -> [SettingsInUse.Change] {
    let layers = try read()
    let result = inUse.withLock { inUse in
      Result { () throws(Failure) in try inUse.take(layers) }
    }
    let changes = try result.get()
    logLevel.value = min(logLevel.value, settings.logLevel)
    return changes
  }

  /// The log's level is that of the settings.
  func useLogLevel() { logLevel.value = settings.logLevel }
}
