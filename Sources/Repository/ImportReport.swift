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

  /// A line after which the rest of its conversation is missing.
  public struct Incomplete: Equatable, Sendable {
    /// Its number, from 1 on.
    public let line: Int
    /// The conversation that it has a part of.
    public let id: ConversationID

    /// - Parameters:
    ///   - line: Its number, from 1 on.
    ///   - id: The conversation that it has a part of.
    public init(line: Int, id: ConversationID) {
      self.line = line
      self.id = id
    }
  }

  /// How many conversations are new.
  public private(set) var createdCount = 0
  /// How many lines went on with a conversation.
  public private(set) var continuedCount = 0
  /// How many lines were there already.
  public private(set) var unchangedCount = 0
  /// The lines of which nothing was stored.
  public private(set) var skipped: [Skipped] = []
  /// The lines after which the rest of a conversation is missing.
  public var incomplete: [Incomplete] = []
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

/// Follows the lines of an import, and finds those after which the rest of a conversation is missing.
public struct PieceSequence: Sendable {
  /// The lines that were found.
  public private(set) var incomplete: [ImportReport.Incomplete] = []
  private var open: ImportReport.Incomplete?

  /// No lines yet.
  public init() {}

  /// Takes the next line.
  public mutating func add(_ record: ConversationRecord, line: Int) {
    let id = record.conversation.id
    if let open, record.afterItem == nil || id != open.id { incomplete.append(open) }
    open = record.hasMore ? ImportReport.Incomplete(line: line, id: id) : nil
  }

  /// Takes the end of the lines.
  public mutating func end() {
    if let open { incomplete.append(open) }
    open = nil
  }
}
