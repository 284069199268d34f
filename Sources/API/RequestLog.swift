internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import Logging

extension API {
  /// How much of a path the log shows.
  private static let pathBytesMax = 256
  /// How much of `User-Agent` the log shows.
  private static let userAgentBytesMax = 256

  /// Writes the line of an answered request: who asked for what, and what became of it. A refused key
  /// is a warning, and has its line even where requests have none.
  func log(_ progress: Progress, _ response: Response, code: String?, elapsed: Duration) {
    let isRefusedKey = response.status == .unauthorized
    guard settings.logsRequests || isRefusedKey else { return }
    logger.log(
      level: isRefusedKey ? .warning : .info, "request",
      metadata: fields(progress, response, code: code, elapsed: elapsed))
  }

  /// Says that a list is not whole, since the rows of some of it cannot be shown.
  ///
  /// - Parameters:
  ///   - count: How many were left out; nothing is said when there are none.
  ///   - what: What they are.
  ///   - facts: What else is known of them.
  func logLeftOut(_ count: Int, _ what: String, _ call: Call, _ facts: Logger.Metadata = [:]) {
    guard count > 0 else { return }
    var metadata = facts
    metadata["request_id"] = "\(call.id)"
    metadata["count"] = "\(count)"
    logger.error(
      "left out of a list: what is stored of some \(what) is not valid", metadata: metadata)
  }

  private func fields(
    _ progress: Progress, _ response: Response, code: String?, elapsed: Duration
  ) -> Logger.Metadata {
    let request = progress.request
    var fields: Logger.Metadata = [
      "method": "\(request.method.rawValue)",
      // Without the query, which names metadata.
      "path": "\(request.target.path.visibleASCII(bytesMax: Self.pathBytesMax))",
      "status": .stringConvertible(response.status.code),
      "bytes_out": .stringConvertible(response.sentBytes(to: request)),
      "milliseconds": .stringConvertible(elapsed.shownMilliseconds),
      "request_id": "\(progress.id)",
    ]
    if let client = request.client(behind: settings.trustedProxies) {
      fields["address"] = "\(client)"
    }
    if let name = progress.access?.keyName { fields["key"] = "\(name)" }
    if let access = progress.access { fields["project"] = "\(access.projectName)" }
    if let bytes = request.contentBytes { fields["bytes_in"] = .stringConvertible(bytes) }
    if let code { fields["code"] = "\(code)" }
    if let clientID = RequestID.clientID(in: request.headers) {
      fields["client_request_id"] = "\(clientID.visibleASCII())"
    }
    if let parent = request.traceParent { fields["traceparent"] = "\(parent)" }
    if let agent = request.headers[.userAgent] {
      let shown = agent.visibleASCII(bytesMax: Self.userAgentBytesMax, keepsSpaces: true)
      fields["user_agent"] = "\(shown)"
    }
    return fields
  }
}

extension Request {
  /// Who sent the request: the other end of the connection or, when that is a trusted proxy, the last
  /// address in `X-Forwarded-For` that is not one. What stands before it may be made up.
  func client(behind trustedProxies: [NetworkRange]) -> ClientAddress? {
    guard var client else { return nil }
    func isTrusted(_ address: ClientAddress) -> Bool {
      trustedProxies.contains { $0.contains(address) }
    }
    guard isTrusted(client), let forwarded = headers[.xForwardedFor] else {
      return client
    }
    for entry in forwarded.split(separator: ",").reversed() {
      let words = entry.split { $0 == " " || $0 == "\t" }
      guard words.count == 1, let address = ClientAddress(String(words[0])) else { return client }
      client = address
      if !isTrusted(address) { return client }
    }
    return client
  }

  /// How much content it has; nil when the server did not take it and it does not say.
  fileprivate var contentBytes: Int? {
    if case .bytes(let bytes) = body { return bytes.count }
    return headers[.contentLength].flatMap { Int($0) }
  }

  /// The field `traceparent`, if it has the form of version 00
  /// (https://www.w3.org/TR/trace-context/#traceparent-header).
  fileprivate var traceParent: String? {
    guard let field = headers[.traceParent], field.utf8.count == 55 else { return nil }
    let parts = field.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [2, 32, 16, 2], parts[0] == "00",
      parts.allSatisfy({ $0.utf8.allSatisfy(\.isLowercaseHexDigit) }),
      parts[1].utf8.contains(where: { $0 != UInt8(ascii: "0") }),
      parts[2].utf8.contains(where: { $0 != UInt8(ascii: "0") })
    else { return nil }
    return field
  }
}

extension Response {
  /// How much content the server sends.
  fileprivate func sentBytes(to request: Request) -> Int {
    request.method == .head || status == .notModified ? 0 : body.count
  }
}

extension HTTPField.Name {
  fileprivate static let traceParent = Self("traceparent")!
  fileprivate static let xForwardedFor = Self("x-forwarded-for")!
}

extension Duration {
  /// In milliseconds, to the microsecond.
  fileprivate var shownMilliseconds: Double { (self / .microseconds(1)).rounded() / 1000 }
}

extension String {
  /// Everything but visible ASCII percent-encoded: control characters could pretend to be other lines
  /// or repaint a terminal.
  ///
  /// - Parameters:
  ///   - bytesMax: How long it may be; of what is longer, the beginning and `...` are left.
  ///   - keepsSpaces: Whether spaces stay.
  fileprivate func visibleASCII(bytesMax: Int = .max, keepsSpaces: Bool = false) -> String {
    let isShown: (UInt8) -> Bool = { (keepsSpaces ? 0x20...0x7e : 0x21...0x7e).contains($0) }
    if utf8.count <= bytesMax, utf8.allSatisfy(isShown) { return self }
    var shown: [UInt8] = []
    for byte in utf8 {
      if isShown(byte) {
        shown.append(byte)
      } else {
        shown += "%\(String(Int(byte) + 0x100, radix: 16).dropFirst())".utf8
      }
      guard shown.count <= bytesMax else {
        return String(decoding: shown.prefix(bytesMax - 3), as: UTF8.self) + "..."
      }
    }
    return String(decoding: shown, as: UTF8.self)
  }
}
