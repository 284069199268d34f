import Conversations
import HTTP
import HTTPTypes
import JSON

@testable import API

/// The items of a create are refused with a 4xx that says where, or come back as they were sent, but for
/// what the contract names (sections 8.1 to 8.4).
func checkItems(_ result: Result<[AddedItem], APIError>, of text: [UInt8]) throws {
  guard let sent = try JSON(parsing: text)["items"] else {
    throw Violation(description: "items of a body that has none")
  }
  switch result {
  case .success(let added):
    try check(added, areOf: sent.elements ?? [])
  case .failure(let error):
    let answer = try checkRefusal(error)
    let param = try require(answer.param, "a refusal that says not where")
    let isOfItems = param.utf8.starts(with: "item".utf8)
    try require(isOfItems || param.utf8.starts(with: "metadata".utf8), "another param")
    try require(answer.status == .badRequest, "answered with \(answer.status)")
    if case .item = error { try require(isOfItems, "a fault of the items elsewhere") }
  }
}

private func check(_ added: [AddedItem], areOf sent: [JSON]) throws {
  try require(sent.count <= Item.addedMax, "\(sent.count) items were taken")
  let stored = sent.filter { $0["type"]?.string != ItemType.compactionTrigger.name }
  try require(stored.count == added.count, "\(added.count) items of \(stored.count)")
  for (sent, added) in zip(stored, added) {
    switch added {
    case .reference(let id):
      try require(sent["id"]?.string?.bytes == id.bytes, "another reference")
    case .minted(let item):
      try require(sent["id"].map { $0.kind == .null } ?? true, "an id instead of the one sent")
      try require(item.id.isOfMintedForm, "an id of another form")
      try check(item, isOf: sent)
    case .item(let item):
      try require(sent["id"]?.string?.bytes == item.id.description.bytes, "another id")
      try check(item, isOf: sent)
    }
  }
}

private func check(_ item: Item, isOf sent: JSON) throws {
  try require(ItemID(item.id.description) == item.id, "an id that cannot be one")
  let answered = try JSON(parsing: JSONBody.item(item).bytes)
  let members = try require(answered.members, "an item that is no object")
  try require(members.prefix(2).map(\.key) == ["id", "type"], "id and type do not come first")
  let isMessage = item.type == ItemType.message.name
  for member in try require(sent.members, "an item of what is no object") {
    guard !["id", "type", "status"].contains(member.key) else { continue }
    let again = try require(
      members.first { $0.key.hasSameBytes(as: member.key) }, "a member is lost")
    guard !isMessage || member.key != "content" else {
      try require(again.value.kind == .array, "a content that is no array")
      continue
    }
    try require(compact(again.value) == compact(member.value), "a member has changed")
  }
  let known = Set((sent.members ?? []).map(\.key.bytes))
  for member in members.dropFirst(2) {
    try require(
      known.contains(member.key.bytes) || member.key == "status", "a member that nobody sent")
  }
}

private func compact(_ json: JSON) -> [UInt8] {
  var writer = JSONWriter()
  writer.value(json)
  return writer.bytes
}
