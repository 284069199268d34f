internal import Conversations
internal import Repository

extension Metrics {
  /// Projects beyond so many share one series.
  static let projectsMax = 1000

  /// What is in each project; nil for nothing that is known.
  static func write(_ counts: [ProjectCount]?, to text: inout MetricsText) {
    guard let counts else { return }
    let sorted = counts.sorted { $0.conversations > $1.conversations }
    let named = sorted.prefix(projectsMax).sorted { $0.name.precedes($1.name) }
    let others = sorted.dropFirst(projectsMax)
    func write(_ name: String, _ help: String, _ value: (ProjectCount) -> Int64) {
      text.begin(name, .gauge, help)
      for count in named { text.sample(labels: [("project", count.name)], Int(value(count))) }
      if !others.isEmpty {
        text.sample(labels: [("project", "")], Int(others.reduce(0) { $0 + value($1) }))
      }
    }
    write("project_conversations", "Conversations of a project, counted now and then.") {
      $0.conversations
    }
    write("project_items", "Items of a project, counted now and then.") { $0.items }
  }
}
