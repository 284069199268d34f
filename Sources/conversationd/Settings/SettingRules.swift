import API
import Conversations
import HTTP
import PostgreSQL

extension Setting {
  /// - Returns: What is wrong with a value; nil when it may be used.
  func complaint(about value: String) -> String? {
    switch kind {
    case .text, .path:
      value.isEmpty ? "must not be empty" : nil
    case .optionalPath:
      nil
    case .optionalAddress:
      value.isEmpty || ListenAddress(value) != nil
        ? nil : "must be 'unix:' and an absolute path, or HOST:PORT, not '\(value)'"
    case .addresses:
      Self.complaint(about: value, "'unix:' and an absolute path, or HOST:PORT") {
        ListenAddress($0) != nil
      }
    case .origins:
      Self.complaint(about: value, "origins such as 'https://app.example.com'", Self.isOrigin)
    case .networks:
      Self.complaint(about: value, "addresses, networks such as '10.0.0.0/8', or 'unix'") {
        NetworkRange($0) != nil
      }
    case .itemTypes:
      Self.complaint(about: value, "names of 1 to 64 of a-z, 0-9 and _", Self.isItemType)
    case .retentionRules:
      Self.complaintAboutRules(value)
    case .databaseURL:
      // A value that is wrong may hold a password too.
      value.isEmpty || DatabaseURL.isURL(value)
        ? nil : "must be a URL that begins with postgresql://"
    case .choice(let choices):
      choices.contains(value)
        ? nil : "must be one of \(choices.joined(separator: ", ")), not '\(value)'"
    case .boolean:
      ["true", "false"].contains(value) ? nil : "must be true or false, not '\(value)'"
    case .integer(let range):
      // Int's own reader would take a plus sign.
      value.first != "+" && Int(value).map(range.contains) ?? false
        ? nil : "must be an integer from \(range.lowerBound) to \(range.upperBound), not '\(value)'"
    }
  }

  /// - Returns: What is wrong with the first of some words that is not right.
  private static func complaint(
    about value: String, _ kind: String, _ isRight: (String) -> Bool
  ) -> String? {
    words(value).first { !isRight($0) }.map {
      "must be \(kind), separated by spaces, not '\($0)'"
    }
  }

  private static func complaintAboutRules(_ value: String) -> String? {
    for word in words(value) {
      do {
        _ = try RetentionRule(word)
      } catch {
        return "has a rule '\(word)', which \(error.words)"
      }
    }
    return nil
  }

  private static func isItemType(_ word: String) -> Bool {
    word.utf8.count <= 64 && word.wholeMatch(of: /[a-z0-9_]+/) != nil
  }

  /// Whether it is an origin as browsers write it (RFC 6454, section 6.2), who compare it byte for
  /// byte: in lower case, and without the port that the scheme has anyway.
  private static func isOrigin(_ word: String) -> Bool {
    let form = /https?:\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/
    let hasNeedlessPort =
      word.hasPrefix("https:") ? word.hasSuffix(":443") : word.hasSuffix(":80")
    return word.wholeMatch(of: form) != nil && !hasNeedlessPort
  }
}
