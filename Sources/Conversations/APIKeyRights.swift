/// What an API key may do in its project.
public enum APIKeyRights: Sendable, CaseIterable {
  /// Read, and change nothing.
  case readOnly
  /// Read and write.
  case readWrite
  /// Read and write, and make and revoke the keys that are not admin keys.
  case admin
}
