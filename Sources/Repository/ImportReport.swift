public import Conversations

/// What became of the lines of an import, counted.
public struct ImportReport: Sendable {
  /// A line of which nothing was stored.
  public struct Skipped: Sendable {
    /// Its number, from 1 on.
    public let line: Int
    /// The conversation that it has.
    public let id: ConversationID
    /// `out_of_order` or `different`.
    public let reason: String
  }

  /// How many conversations are new.
  public private(set) var createdCount = 0
  /// How many lines went on with a conversation.
  public private(set) var continuedCount = 0
  /// How many lines were there already.
  public private(set) var unchangedCount = 0
  /// The lines of which nothing was stored.
  public private(set) var skipped: [Skipped] = []
  /// The ids that became others.
  public private(set) var newIDs: [(old: ConversationID, new: ConversationID)] = []

  /// No lines yet.
  public init() {}

  /// - Parameter lines: The number of each record's line.
  public init(_ outcomes: [ImportOutcome], of records: [ConversationRecord], lines: [Int]) {
    for (index, outcome) in outcomes.enumerated() {
      let id = records[index].conversation.id
      switch outcome {
      case .created(let new):
        createdCount += 1
        if new != id { newIDs.append((id, new)) }
      case .continued: continuedCount += 1
      case .unchanged: unchangedCount += 1
      case .different: skipped.append(Skipped(line: lines[index], id: id, reason: "different"))
      case .outOfOrder:
        skipped.append(Skipped(line: lines[index], id: id, reason: "out_of_order"))
      }
    }
  }

  /// Adds what became of later lines. Their new ids are left out, since all of them would fill memory.
  public mutating func add(_ later: ImportReport) {
    createdCount += later.createdCount
    continuedCount += later.continuedCount
    unchangedCount += later.unchangedCount
    skipped += later.skipped
  }
}
