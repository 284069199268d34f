extension Metrics {
  /// What the program was built of.
  public struct Build: Sendable {
    /// The version of the program.
    public let version: String
    /// The commit that it was built from; empty when nobody knows.
    public let commit: String
    /// The version of SQLite that it runs with.
    public let sqlite: String

    /// - Parameters:
    ///   - version: The version of the program.
    ///   - commit: The commit that it was built from; empty when nobody knows.
    ///   - sqlite: The version of SQLite that it runs with.
    public init(version: String = "", commit: String = "", sqlite: String = "") {
      self.version = version
      self.commit = commit
      self.sqlite = sqlite
    }
  }

  /// Writes what is known of the program and its process.
  func writeProcess(certificateExpiresAt: Int64?, to text: inout MetricsText) {
    text.begin("build_info", .gauge, "What the program was built of; the value is 1.")
    text.sample(
      labels: [
        ("version", build.version), ("commit", build.commit), ("sqlite", build.sqlite),
      ], 1)
    if let certificateExpiresAt {
      text.begin(
        "tls_certificate_expiry_timestamp_seconds", .gauge,
        "When the TLS certificate in use expires, in Unix seconds.")
      text.sample(Int(certificateExpiresAt))
    }
    text.beginStandard(
      "process_start_time_seconds", .gauge, "When the process was started, in Unix seconds.")
    text.sample(Int(startedAt))
    let process = ProcessState.now
    if let bytes = process.residentBytes {
      text.beginStandard("process_resident_memory_bytes", .gauge, "The memory of the process.")
      text.sample(bytes)
    }
    if let count = process.openDescriptors {
      text.beginStandard("process_open_fds", .gauge, "File descriptors that are open.")
      text.sample(count)
    }
    text.beginStandard("process_max_fds", .gauge, "The limit of open file descriptors.")
    text.sample(process.descriptorsMax)
  }
}
