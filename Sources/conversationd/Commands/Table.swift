/// Columns as wide as their widest entry, two spaces apart.
struct Table {
  /// The lines, without spaces at their ends.
  let lines: [String]

  /// - Parameter rows: The heading first; all have as many columns as that.
  init(_ rows: [[String]]) {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
    lines = rows.map { row in
      let padded = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      return (padded.dropLast() + row.suffix(1)).joined(separator: "  ")
    }
  }
}
