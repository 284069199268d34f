internal import Conversations
internal import HTTP
internal import HTTPTypes
internal import JSON
internal import Logging
internal import Repository

extension API {
  /// `GET /v1/export`
  func exportConversations(_ call: Call) async throws(APIError) -> Response {
    let parameters = try ListParameters(call.query, of: .export)
    let page = try await rethrowing { () async throws(RepositoryError) in
      try await repository.exportPage(
        parameters.query, from: parameters.exportPlace, in: call.project)
    }
    if !page.unreadable.isEmpty || page.unreadableItemCount > 0 {
      logger.error(
        "left out of an export: what is stored is not valid",
        metadata: [
          "request_id": "\(call.id)", "conversations": "\(page.unreadable.count)",
          "items": "\(page.unreadableItemCount)",
          "ids": "\(page.unreadable.prefix(3).joined(separator: " "))",
        ])
    }
    let (bytes, next) = Self.lines(page)
    var response = Response(
      status: .ok, headers: [.contentType: ExportLine.mediaTypes[0]], body: bytes)
    if let next { response.headers.append(.nextAfter, next.description) }
    return response
  }

  /// As many lines as an answer may have bytes, at least one, and where the next answer begins.
  private static func lines(_ page: ExportPage) -> ([UInt8], next: ExportPlace?) {
    var bytes: [UInt8] = []
    var last: ConversationID?
    for record in page.records {
      let count = bytes.count
      ExportLine.append(record, to: &bytes)
      if let last, bytes.count > ExportPage.bytesMax {
        bytes.removeSubrange(count...)
        return (bytes, ExportPlace(last))
      }
      last = record.conversation.id
    }
    return (bytes, page.next)
  }

  /// `POST /v1/import`
  func importConversations(_ call: Call) async throws(APIError) -> Response {
    let mintsIDs = try Self.mintsIDs(call.query)
    try RequestBody.requireType(of: call.request, among: ExportLine.mediaTypes)
    guard case .bytes(let bytes) = call.request.body else {
      preconditionFailure("other bodies were refused")
    }
    let (records, numbers) = try records(of: bytes)
    do throws(RepositoryError) {
      let outcomes = try await repository.importRecords(
        records, mintsIDs: mintsIDs, in: call.project)
      return Response(json: .importReport(outcomes, of: records, lines: numbers))
    } catch {
      guard case .laterThanNow(let index) = error else { throw .repository(error) }
      throw .line(numbers[index], .repository(error))
    }
  }

  /// How many conversations a request may bring: more than an answer of an export has.
  static let importedMax = 40_000

  /// Reads the lines of an import, and tells the number of each that is not empty.
  private func records(
    of bytes: [UInt8]
  ) throws(APIError) -> (records: [ConversationRecord], numbers: [Int]) {
    let lines = try Self.lines(of: bytes)
    let reader = itemReader
    var records: [ConversationRecord] = []
    for (number, range) in lines {
      do throws(APIError) {
        records.append(try ExportLine.record(of: Array(bytes[range]), reader))
      } catch {
        throw .line(number, error)
      }
    }
    return (records, lines.map(\.number))
  }

  /// Finds the lines that are not empty.
  private static func lines(
    of bytes: [UInt8]
  ) throws(APIError) -> [(number: Int, range: Range<Int>)] {
    var lines: [(number: Int, range: Range<Int>)] = []
    var (start, number) = (0, 0)
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      number += 1
      if !bytes[start..<end].allSatisfy({ $0 <= 0x20 }) {
        guard lines.count < importedMax else { throw .body(.tooManyLines(importedMax)) }
        lines.append((number, start..<end))
      }
      start = end + 1
    }
    return lines
  }

  /// The names of the parameters of the import; a test compares them with `openapi.json`.
  static let importNames = ["new_ids"]

  /// Whether each conversation is to become a new one.
  static func mintsIDs(
    _ parameters: [(name: String, value: String)]
  ) throws(APIError) -> Bool {
    var mintsIDs: Bool?
    for (name, value) in parameters {
      guard name.hasSameBytes(as: importNames[0]) else { throw .unknownParameter(name) }
      guard mintsIDs == nil else { throw .parameter(.repeated(name)) }
      switch value {
      case "true": mintsIDs = true
      case "false": mintsIDs = false
      default:
        throw .parameter(.notAChoice(name: name, value: value, choices: ["true", "false"]))
      }
    }
    return mintsIDs ?? false
  }
}

extension JSONBody {
  /// What became of the lines of an import.
  ///
  /// - Parameter lines: The number of each record's line.
  static func importReport(
    _ outcomes: [ImportOutcome], of records: [ConversationRecord], lines: [Int]
  ) -> JSONBody {
    var report = ImportReport(outcomes, of: records, lines: lines)
    var pieces = PieceSequence()
    for (record, line) in zip(records, lines) { pieces.add(record, line: line) }
    pieces.end()
    report.incomplete = pieces.incomplete
    return JSONBody { [report] json in
      json.raw(#"{"object":"conversation.import","created":"#)
      json.integer(report.createdCount)
      json.raw(#","continued":"#)
      json.integer(report.continuedCount)
      json.raw(#","unchanged":"#)
      json.integer(report.unchangedCount)
      json.raw(#","skipped":["#)
      for (index, skipped) in report.skipped.enumerated() {
        json.raw(index > 0 ? #",{"line":"# : #"{"line":"#)
        json.integer(skipped.line)
        json.raw(#","id":"#)
        json.string(skipped.id.description)
        json.raw(#","reason":"#)
        json.string(skipped.reason)
        json.raw("}")
      }
      json.raw(#"],"incomplete":["#)
      for (index, incomplete) in report.incomplete.enumerated() {
        json.raw(index > 0 ? #",{"line":"# : #"{"line":"#)
        json.integer(incomplete.line)
        json.raw(#","id":"#)
        json.string(incomplete.id.description)
        json.raw("}")
      }
      json.raw(#"],"new_ids":["#)
      for (index, pair) in report.newIDs.enumerated() {
        json.raw(index > 0 ? #",{"old_id":"# : #"{"old_id":"#)
        json.string(pair.old.description)
        json.raw(#","new_id":"#)
        json.string(pair.new.description)
        json.raw("}")
      }
      json.raw("]}")
    }
  }
}

extension HTTPField.Name {
  static let nextAfter = Self("x-next-after")!
}
