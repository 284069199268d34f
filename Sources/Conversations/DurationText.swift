/// A length of time as a person writes it: `90d`.
public enum DurationText {
  private static let unitSeconds: [Character: Int64] = [
    "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800,
  ]

  /// Reads a number and s, m, h, d or w.
  ///
  /// - Parameter limit: The most seconds.
  /// - Returns: The seconds, at least 1; nil for every other text.
  public static func seconds(_ text: String, upTo limit: Int64) -> Int64? {
    guard let unit = text.last.flatMap({ unitSeconds[$0] }),
      text.dropLast().allSatisfy({ ("0"..."9").contains($0) }),
      let count = Int64(text.dropLast()), count > 0
    else { return nil }
    let (seconds, isTooLarge) = count.multipliedReportingOverflow(by: unit)
    return isTooLarge || seconds > limit ? nil : seconds
  }
}
