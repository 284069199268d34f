internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Repository

extension API {
  /// What has to be looked up to know who sent a request and what it may do.
  ///
  /// - Throws: `.access(.missingKey)` where that is known already.
  func lookUp(
    for request: Request, about subject: LookUp.Subject
  ) throws(APIError) -> LookUp {
    let key = Self.bearerToken(in: request.headers)
    if settings.requiresKeys, key == nil { throw .access(.missingKey) }
    return LookUp(key: key, requiresKey: settings.requiresKeys, subject: subject)
  }

  /// Finds out who sent a request and what it may do: by its API key (RFC 6750), or, for as long as
  /// none was ever made, by the address at which it came in.
  ///
  /// - Throws: `.access`.
  func authenticate(
    _ request: Request, _ finding: Result<Finding, RepositoryError>
  ) throws(APIError) -> Access {
    let access = try rethrowing { () throws(RepositoryError) in try finding.get().access }
    guard let access else {
      let key = Self.bearerToken(in: request.headers)
      throw .access(key.map { .incorrectKey($0) } ?? .missingKey)
    }
    if access.isWithoutKey {
      try LoopbackGuard.admit(request, crossOrigin: crossOrigin)
      return access
    }
    let project = request.headers[.openAIProject]
    guard project?.hasSameBytes(as: access.projectName) != false else {
      throw .access(.otherProject(own: access.projectName))
    }
    return access
  }

  /// Finds out whether a client may do what it asks for.
  ///
  /// - Throws: `.access`.
  func authorize(
    _ access: Access, for operation: Operation, of route: Route
  ) throws(APIError) {
    if access.isReadOnly, operation.method != .get { throw .access(.keyIsReadOnly) }
    switch route.audience {
    case .everybody, .keyHolders, .browsers: break
    case .administrators:
      guard access.rights == .admin else { throw .access(.keyIsNotAdmin) }
    case .watchers:
      let mayWatch =
        access.isWithoutKey || access.rights == .admin && access.project == .default
      guard mayWatch else { throw .access(.metricsAreOfAllProjects) }
    }
  }

  func rethrowing<T>(_ body: () throws(RepositoryError) -> T) throws(APIError) -> T {
    do {
      return try body()
    } catch {
      throw .repository(error)
    }
  }

  /// - Returns: What follows `Bearer`, whatever its case; nil when there is no such field.
  private static func bearerToken(in headers: HeaderFields) -> String? {
    guard let field = headers[.authorization] else { return nil }
    let bytes = field.utf8Span.span
    let scheme = "bearer "
    let prefix = scheme.utf8Span.span
    guard bytes.count > prefix.count,
      prefix.indices.allSatisfy({ bytes[$0] | 0x20 == prefix[$0] })
    else { return nil }
    var start = prefix.count
    while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
    guard start < bytes.count else { return nil }
    return bytes.extracting(start...).withUnsafeBufferPointer {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
