internal import Conversations

/// How many requests came with each API key. Names are not told to everybody: those who read them at
/// the management listener may see all projects anyway.
struct KeyRequests {
  /// Keys beyond so many share one series: each is there until the process ends.
  static let keysMax = 1000

  private var counts: [Int64: Count] = [:]
  private var othersCount = 0

  private struct Count {
    let name: String
    let project: String
    var count: Int
  }

  /// A request was answered.
  mutating func add(_ access: Access) {
    guard let name = access.keyName else { return }
    if counts[access.keyNumber] != nil {
      counts[access.keyNumber]!.count += 1
    } else if counts.count < Self.keysMax {
      counts[access.keyNumber] = Count(name: name, project: access.projectName, count: 1)
    } else {
      othersCount += 1
    }
  }

  /// The samples, those of keys by project and name.
  func write(to text: inout MetricsText) {
    // The name of a key that was revoked may be another key's.
    var byName: [[String]: Int] = [:]
    for count in counts.values { byName[[count.project, count.name], default: 0] += count.count }
    text.begin(
      "key_requests_total", .counter, "Requests that were answered, by the API key that they had.")
    for (names, count) in byName.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      text.sample(labels: [("project", names[0]), ("key", names[1])], count)
    }
    if othersCount > 0 { text.sample(labels: [("project", ""), ("key", "")], othersCount) }
  }
}
