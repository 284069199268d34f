/// How often values were at most so large.
struct Histogram {
  let bounds: [Double]
  /// Of the values that are at most the bound and above the one before; the last has no bound.
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  var count: Int { counts.reduce(0, +) }

  mutating func add(_ value: Double) {
    let index = bounds.firstIndex { value <= $0 } ?? bounds.count
    counts[index] += 1
    sum += value
  }
}

/// Prometheus's text format, as it is being written.
struct MetricsText {
  private(set) var text = ""
  private var name = ""

  enum Kind: String {
    case counter, gauge, histogram
  }

  typealias Label = (name: String, value: String)

  /// Begins a metric; the samples that follow are its.
  mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    beginStandard("conversationd_\(name)", kind, help)
  }

  /// Begins a metric whose name others define.
  mutating func beginStandard(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    text += "# HELP \(self.name) \(help)\n# TYPE \(self.name) \(kind.rawValue)\n"
  }

  /// Writes one value.
  mutating func sample(labels: [Label] = [], _ value: Int) {
    line(labels: labels, value: String(value))
  }

  /// Writes the lines of a histogram.
  mutating func histogram(_ histogram: Histogram, labels: [Label] = []) {
    var total = 0
    for (index, count) in histogram.counts.enumerated() {
      total += count
      let bound = index < histogram.bounds.count ? "\(histogram.bounds[index])" : "+Inf"
      line(suffix: "_bucket", labels: labels + [("le", bound)], value: String(total))
    }
    line(suffix: "_sum", labels: labels, value: "\(histogram.sum)")
    line(suffix: "_count", labels: labels, value: String(total))
  }

  /// Within quotes, `\` and `"` are escaped, also where an accent follows and makes one character of
  /// them; no name has a line feed in it.
  private static func escaped(_ value: String) -> String {
    guard value.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
    else { return value }
    return value.unicodeScalars.reduce(into: "") { text, scalar in
      if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
      text.unicodeScalars.append(scalar)
    }
  }

  private mutating func line(suffix: String = "", labels: [Label], value: String) {
    let shown = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    text += "\(name)\(suffix)\(shown.isEmpty ? "" : "{\(shown)}") \(value)\n"
  }
}
