internal import Conversations
internal import HTTP
internal import HTTPTypes
public import Repository
internal import Synchronization

/// What happened since the start, counted for Prometheus
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
///
/// Written here because none of the libraries that this project may use writes the format.
public final class Metrics: Sendable {
  private let state = Mutex(State())
  let build: Build
  let startedAt = UnixTime.seconds()

  private struct State {
    var requests: [Answered: Int] = [:]
    /// By the place of the route in `Route.all`; the last is of requests without a route.
    var durations = (0...Route.all.count).map { _ in Histogram(bounds: Metrics.durationBounds) }
    var rejections: [String: Int] = [:]
    var groupSizes = Histogram(bounds: Metrics.sizeBounds)
    var waitingSeconds = Histogram(bounds: Metrics.durationBounds)
    var commitSeconds = Histogram(bounds: Metrics.durationBounds)
    var failedGroups = 0
    var droppedLogLines = 0
    var certificateExpiresAt: Int64?
    var keyRequests = KeyRequests()
    var projects: [ProjectCount]?
    var retentionDeletions = 0
  }

  private struct Answered: Hashable, Comparable {
    let routeIndex: Int
    let method: Method
    let status: Int

    static func < (left: Answered, right: Answered) -> Bool {
      (left.routeIndex, left.method.rawValue, left.status)
        < (right.routeIndex, right.method.rawValue, right.status)
    }
  }

  /// Clients may invent methods, and each would be a series for ever.
  private enum Method: String {
    case delete = "DELETE"
    case get = "GET"
    case head = "HEAD"
    case options = "OPTIONS"
    case patch = "PATCH"
    case post = "POST"
    case put = "PUT"
    case other
  }

  private static let durationBounds = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    10,
  ]
  private static let sizeBounds: [Double] = [
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
  ]

  /// Nothing happened yet.
  ///
  /// - Parameter build: What the program was built of.
  public init(build: Build = Build()) {
    self.build = build
  }

  /// A group of writes has ended.
  public func record(_ group: WriteGroup) {
    state.withLock { state in
      state.groupSizes.add(Double(group.waits.count))
      for wait in group.waits { state.waitingSeconds.add(wait / .seconds(1)) }
      state.commitSeconds.add(group.commit / .seconds(1))
      if !group.isStored { state.failedGroups += 1 }
    }
  }

  /// Lines of the log were dropped, because nobody read it.
  public func dropped(_ logLines: Int) {
    state.withLock { $0.droppedLogLines += logLines }
  }

  /// A TLS certificate is in use from now on.
  ///
  /// - Parameter time: When it expires, in Unix seconds.
  public func useCertificate(expiringAt time: Int64) {
    state.withLock { $0.certificateExpiresAt = time }
  }

  /// Retention has deleted conversations.
  public func retentionDeleted(_ conversations: Int) {
    state.withLock { $0.retentionDeletions += conversations }
  }

  /// The projects were counted.
  public func count(_ projects: [ProjectCount]) {
    state.withLock { $0.projects = projects }
  }

  /// A request was answered.
  ///
  /// - Parameters:
  ///   - route: The place of the route in `Route.all`; nil for a request without one.
  ///   - access: What the client may do; nil where nobody asked.
  func answered(
    route: Int?, method: HTTPRequest.Method, status: Int, duration: Duration, access: Access? = nil
  ) {
    let routeIndex = route ?? Route.all.count
    let method = Method(rawValue: method.rawValue) ?? .other
    state.withLock { state in
      let answered = Answered(routeIndex: routeIndex, method: method, status: status)
      state.requests[answered, default: 0] += 1
      state.durations[routeIndex].add(duration / .seconds(1))
      if let access { state.keyRequests.add(access) }
    }
  }

  /// A request was refused.
  func rejected(reason: String) {
    state.withLock { $0.rejections[reason, default: 0] += 1 }
  }

  /// All of it.
  ///
  /// - Parameter namesKeys: Whether API keys and their projects are named.
  func text(
    connections: ConnectionCounts.Values, repository: StoreState, namesKeys: Bool = false
  ) -> [UInt8] {
    let state = state.withLock { $0 }
    var text = MetricsText()
    write(state, to: &text)
    write(connections, rejections: state.rejections, to: &text)
    write(repository, state, to: &text)
    if namesKeys {
      state.keyRequests.write(to: &text)
      Self.write(state.projects, to: &text)
    }
    writeProcess(certificateExpiresAt: state.certificateExpiresAt, to: &text)
    return Array(text.text.utf8)
  }

  private func write(_ state: State, to text: inout MetricsText) {
    text.begin("http_requests_total", .counter, "Requests that were answered.")
    for (answered, count) in state.requests.sorted(by: { $0.key < $1.key }) {
      text.sample(
        labels: [
          ("route", Self.routeName(answered.routeIndex)), ("method", answered.method.rawValue),
          ("status", String(answered.status)),
        ], count)
    }
    text.begin(
      "http_request_duration_seconds", .histogram,
      "From the arrival of a whole request to its answer, without the network.")
    for (index, histogram) in state.durations.enumerated() where histogram.count > 0 {
      text.histogram(histogram, labels: [("route", Self.routeName(index))])
    }
    text.begin(
      "log_lines_dropped_total", .counter,
      "Lines of the log that were dropped, because nobody read it in time.")
    text.sample(state.droppedLogLines)
  }

  private func write(
    _ connections: ConnectionCounts.Values, rejections: [String: Int], to text: inout MetricsText
  ) {
    text.begin(
      "rejected_total", .counter,
      "Requests that were answered with an error, and connections that were closed.")
    let ofConnections = [
      "connections_max": connections.refusedAtLimit,
      "connections_per_address_max": connections.refusedAtAddressLimit,
      "request_timeout": connections.cutOff,
    ]
    for (reason, count) in rejections.merging(ofConnections, uniquingKeysWith: +).sorted(by: <) {
      text.sample(labels: [("reason", reason)], count)
    }
    text.begin("connections", .gauge, "Connections that are open.")
    text.sample(connections.open)
    text.begin("connections_accepted_total", .counter, "Connections that were accepted.")
    text.sample(connections.accepted)
  }

  private func write(
    _ repository: StoreState, _ state: State, to text: inout MetricsText
  ) {
    text.begin("write_group_size", .histogram, "Writes that shared a commit.")
    text.histogram(state.groupSizes)
    text.begin("write_wait_seconds", .histogram, "From the queueing of a write to its turn.")
    text.histogram(state.waitingSeconds)
    text.begin(
      "write_commit_seconds", .histogram,
      "From the beginning of a group of writes to its end on the disk.")
    text.histogram(state.commitSeconds)
    text.begin("write_groups_failed_total", .counter, "Groups of writes that did not end well.")
    text.sample(state.failedGroups)
    text.begin("writes_waiting", .gauge, "Writes that wait for their turn.")
    text.sample(repository.waitingWrites)
    text.begin(
      "retention_deleted_total", .counter, "Conversations that the rules of retention deleted.")
    text.sample(state.retentionDeletions)
    for measure in repository.measures {
      text.begin(measure.name, MetricsText.Kind(measure.kind), measure.help)
      text.sample(measure.value)
    }
  }

  private static func routeName(_ index: Int) -> String {
    index < Route.all.count ? Route.all[index].path : "none"
  }
}

extension MetricsText.Kind {
  fileprivate init(_ kind: StoreMeasure.Kind) {
    self =
      switch kind {
      case .counter: .counter
      case .gauge: .gauge
      }
  }
}
