/// What a server says of itself at `/metrics`, read again: the samples of one moment.
struct MetricsSamples {
  private let samples: [Sample]

  private struct Sample {
    let name: Substring
    let labels: [Substring: Substring]
    let value: Double
  }

  /// Reads Prometheus's text format as conversationd writes it: no sample has a time. Escapes stay as
  /// they are: only names of API keys have them, of which nobody asks here. Lines of another form, and
  /// those whose value is no finite number, are left out.
  init(_ text: Substring) {
    samples = text.split(separator: "\n").compactMap(Self.sample)
  }

  private static func sample(_ line: Substring) -> Sample? {
    guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
      let value = Double(line[line.index(after: space)...]), value.isFinite
    else { return nil }
    let series = line[..<space]
    guard let brace = series.firstIndex(of: "{"), series.hasSuffix("}") else {
      return Sample(name: series, labels: [:], value: value)
    }
    var labels: [Substring: Substring] = [:]
    // A route has commas in no name, and a value ends at its quote.
    for label in series[series.index(after: brace)...].dropLast(2).split(separator: "\",") {
      guard let equals = label.firstRange(of: "=\"") else { return nil }
      labels[label[..<equals.lowerBound]] = label[equals.upperBound...]
    }
    return Sample(name: series[..<brace], labels: labels, value: value)
  }

  /// The sum of all samples of a name, with these labels among others.
  func sum(_ name: String, where isWanted: ([Substring: Substring]) -> Bool = { _ in true })
    -> Double
  {
    samples.reduce(0) { $0 + ($1.name == name && isWanted($1.labels) ? $1.value : 0) }
  }

  /// The one sample of a name without labels.
  func value(_ name: String) -> Double? {
    samples.first { $0.name == name }?.value
  }

  /// A label of the first sample of a name.
  func label(_ label: Substring, of name: String) -> String? {
    samples.first { $0.name == name }?.labels[label].map(String.init)
  }

  /// The values of a label that a metric has, in the order of the text, each once.
  func values(of label: Substring, in name: String) -> [Substring] {
    var seen: Set<Substring> = []
    return samples.compactMap { $0.name == name ? $0.labels[label] : nil }
      .filter { seen.insert($0).inserted }
  }

  /// The least bound of a histogram below which that part of its values is; infinity above the last.
  func bound(_ part: Double, of name: String, route: Substring) -> Double? {
    let buckets = samples.filter { $0.name == "\(name)_bucket" && $0.labels["route"] == route }
    guard let count = buckets.last?.value, count > 0 else { return nil }
    let bucket = buckets.first { $0.value >= count * part }
    return bucket?.labels["le"].flatMap { $0 == "+Inf" ? .infinity : Double($0) }
  }
}
