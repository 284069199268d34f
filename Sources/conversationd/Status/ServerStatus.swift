/// How a server is, as far as a person asks first.
struct ServerStatus {
  /// Why it is not ready; nil when it is.
  let reason: String?
  /// The samples at the end of the time that the rates are of.
  private let samples: MetricsSamples
  private let before: MetricsSamples
  /// How long lies between the two; 0 for rates since the start.
  private let seconds: Double

  /// A route and how long its requests took, since the start.
  struct Route {
    let path: String
    let requestCount: Int64
    let meanSeconds: Double
    /// At most as long as this were 99 % of them: a bound of the histogram.
    let slowSeconds: Double
  }

  init(reason: String?, before: MetricsSamples, after: MetricsSamples, seconds: Double) {
    self.reason = reason
    (self.before, samples) = (before, after)
    self.seconds = seconds
  }

  func integer(_ name: String) -> Int64? { samples.value(name).flatMap(Int64.init(exactly:)) }

  var version: String? { samples.label("version", of: "conversationd_build_info") }
  var commit: String? {
    samples.label("commit", of: "conversationd_build_info").flatMap { $0.isEmpty ? nil : $0 }
  }
  var sqlite: String? { samples.label("sqlite", of: "conversationd_build_info") }

  var requestsPerSecond: Double { rate("conversationd_http_requests_total") }
  var writesPerSecond: Double { rate("conversationd_write_group_size_sum") }
  var serverErrorsPerSecond: Double {
    rate("conversationd_http_requests_total") { $0["status"]?.hasPrefix("5") == true }
  }

  private func rate(
    _ name: String, where isWanted: ([Substring: Substring]) -> Bool = { _ in true }
  ) -> Double {
    guard seconds > 0 else { return 0 }
    let (start, end) = (before.sum(name, where: isWanted), samples.sum(name, where: isWanted))
    // A server that was started again in between counts from 0.
    return (end < start ? end : end - start) / seconds
  }

  /// The slowest first, but those that were never asked for.
  var routes: [Route] {
    let name = "conversationd_http_request_duration_seconds"
    return samples.values(of: "route", in: "\(name)_count").compactMap { path in
      let count = samples.sum("\(name)_count") { $0["route"] == path }
      guard count > 0, let requestCount = Int64(exactly: count),
        let slow = samples.bound(0.99, of: name, route: path)
      else { return nil }
      let sum = samples.sum("\(name)_sum") { $0["route"] == path }
      return Route(
        path: String(path), requestCount: requestCount, meanSeconds: sum / count,
        slowSeconds: slow)
    }.sorted { ($0.slowSeconds, $0.meanSeconds) > ($1.slowSeconds, $1.meanSeconds) }
  }
}
