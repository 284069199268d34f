/// How libmicrohttpd's memory for one connection, its pool, is divided.
///
/// A request's header stays in the pool while its answer's header is built there. If there is no room
/// for that, libmicrohttpd closes the connection, although the request was executed. So what a request
/// may take is counted before the handler sees it, and the pool has room for that and for the largest
/// answer: what is executed can be answered.
///
/// What a client sends ahead takes room too, and is not seen here: with more than 16 KiB of empty lines
/// before a request, or of the next requests behind one that has more than 250 fields, cookies and
/// arguments, there may be no answer.
enum HeaderRoom {
  /// What libmicrohttpd takes for each header field, cookie and query argument beside its bytes
  /// (0.9.75: `struct MHD_HTTP_Req_Header`, rounded up).
  static let entryBytes = 64
  /// What a request line may take beside the limit; the rest of a longer one counts.
  static let requestLineBytes = 4 << 10
  /// What an answer's header may take, with what libmicrohttpd adds to it and what rounding costs.
  private static let answerBytes = 4 << 10
  /// What of that the fields of a response may take.
  private static let answerFieldsBytes = answerBytes - 512

  /// The size of the pool.
  ///
  /// - Parameter limit: What a request's header may count.
  static func poolBytes(limit: Int) -> Int { limit + requestLineBytes + answerBytes }

  /// Whether the query arguments of a request do not fit into the pool. libmicrohttpd would forget such
  /// a connection without closing it, until it is late.
  static func isTooSmall(for target: RequestTarget, limit: Int) -> Bool {
    guard target.hasQuery, let query = target.query?.utf8 else { return false }
    let count = 1 + query.count { $0 == UInt8(ascii: "&") }
    return query.count + count * entryBytes > poolBytes(limit: limit)
  }

  /// Whether the fields of a response are within what is kept for them. Those of the largest answer, a
  /// CORS preflight, take about half of it.
  static func fits(_ fields: HeaderFields) -> Bool {
    var count = 0
    fields.forEach { count += $0.count + $1.count + ": \r\n".utf8.count }
    return count <= answerFieldsBytes
  }
}
