import Conversations

@testable import API

/// A short text is an id, a hash or a key exactly when the contract says so, stays as it is, and is
/// shown to people only in part when it is long.
func checkNames(_ input: [UInt8]) throws {
  let text = String(decoding: input, as: UTF8.self)
  try checkID(text)
  try checkHash(text)
  let idempotencyKey = IdempotencyKey(text, request: input)
  let isVisible = text.bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f }
  try require(
    (idempotencyKey != nil) == (isVisible && (1...255).contains(text.utf8.count)),
    "idempotency key or not")
  try require(idempotencyKey?.text.bytes ?? text.bytes == text.bytes, "another idempotency key")
  let scalars = text.unicodeScalars.count
  try require(
    ErrorResponse.shown(text).bytes == text.bytes || (scalars > 20 && shownCount(text) == 9),
    "a key is shown too long")
  try require(
    ErrorResponse.masked(text) == "***"
      || (scalars >= 16 && ErrorResponse.masked(text).unicodeScalars.count == 13),
    "a secret is shown")
  try require(["a string", "a decimal number"].contains(ErrorResponse.kind(text)), "another kind")
}

private func shownCount(_ text: String) -> Int { ErrorResponse.shown(text).unicodeScalars.count }

private func checkID(_ text: String) throws(Violation) {
  let isID =
    text.bytes.count == 53 && text.bytes.starts(with: "conv_".utf8)
    && isLowerHexadecimal(text.bytes.dropFirst(5))
  let id = ConversationID(text)
  try require((id != nil) == isID, "id or not")
  guard let id else { return }
  try require(id.description.bytes == text.bytes, "another id")
  let seconds = Int64(String(decoding: text.bytes[5..<13], as: UTF8.self), radix: 16)
  try require(id.createdAt == seconds, "another time")
  try require(ConversationID.place(before: id.createdAt).precedes(text), "stands before its place")
  try require(text.precedes(ConversationID.place(before: id.createdAt + 1)), "stands too late")
  // After the last second there is none to borrow from.
  guard !text.hasPrefix("conv_ffffffffffffffff") else { return }
  var random = SameNumbers()
  let next = ConversationID(atMicroseconds: 0, after: id, using: &random)
  try require(id < next, "the next id stands before")
}

/// The same numbers each time.
private struct SameNumbers: RandomNumberGenerator {
  private var state: UInt64 = 0

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return state
  }
}

private func checkHash(_ text: String) throws(Violation) {
  let isHash = text.bytes.count == 32 && isLowerHexadecimal(text.bytes)
  let hash = ContentHash(text)
  try require((hash != nil) == isHash, "hash or not")
  try require(hash.map { $0.description.bytes } ?? text.bytes == text.bytes, "another hash")
}

private func isLowerHexadecimal(_ bytes: some Collection<UInt8>) -> Bool {
  bytes.allSatisfy("0123456789abcdef".utf8.contains)
}
