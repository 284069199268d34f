import Conversations
import Repository
import SQLiteStore
import TestSupport
import Testing

/// How large a page of items is on the wire (contract, section 8.5).
@Suite struct ItemPageSizeTests {
  private static let pageBytesMax = 8 << 20

  /// Items whose fields alone would just fit: what stands around them counts too.
  @Test(arguments: [20, 100])
  func `a page is at most 8 MiB, with everything around its items`(count: Int) async throws {
    let service = try Service(.inProcess, settings: .init(synchronous: .normal))
    let id = try await service.repository.createConversation(metadata: .empty, in: .default).id
    let frame = #"{"text":""}"#
    let text = String(repeating: "x", count: Self.pageBytesMax / count - frame.utf8.count)
    for first in stride(from: 0, to: count, by: 20) {
      let items = (first..<first + 20).map { number in
        AddedItem.item(
          Item(
            id: ItemID("msg_\(number)")!, type: "message",
            fields: Array(#"{"text":"\#(text)"}"#.utf8)))
      }
      _ = try await service.repository.appendItems(items, to: id, in: .default, once: nil)
    }
    let path = "/v1/conversations/\(id)/items?limit=100&order=asc"
    let page = try await service.send("GET", path)
    #expect(page.status == 200)
    #expect(page.body.utf8.count <= Self.pageBytesMax)
    // Nothing more would have fit.
    #expect(page.body.utf8.count > Self.pageBytesMax - text.utf8.count - 500)
    #expect(page.body.contains(#""has_more":true,"last_id":"msg_\#(count - 2)""#))
  }
}
