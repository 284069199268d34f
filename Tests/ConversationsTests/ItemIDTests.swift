import Conversations
import Testing

@Suite struct ItemIDTests {
  private static let types = ItemTypes(more: ["new_call"])

  private func fault(_ text: String, of name: String) throws -> ItemIDError? {
    let type = try #require(Self.types[name])
    do throws(ItemIDError) {
      let id = try ItemID(text, of: type)
      #expect(id.description == text)
      return nil
    } catch {
      return error
    }
  }

  private static func long(_ start: String, _ count: Int) -> String {
    start + String(repeating: "x", count: count - start.unicodeScalars.count)
  }

  @Test(arguments: [
    ("msg_1", "message"), ("msg", "message"), ("msgX-9", "message"), (long("msg_", 64), "message"),
    ("fc_1", "function_call"), ("fc_1", "function_call_output"), ("rs_1", "reasoning"),
    ("ws_1", "web_search_call"), ("ctc_1", "custom_tool_call"), ("tsc_1", "tool_search_call"),
    ("a", "mcp_call"), ("-", "shell_call"), ("call_Z9", "custom_tool_call_output"),
    ("anything", "new_call"), ("x", "compaction_trigger"),
  ])
  func `an id that a client chose is kept`(text: String, type: String) throws {
    #expect(try fault(text, of: type) == nil)
  }

  @Test(arguments: [
    (long("msg_", 65), "message", ItemIDError.tooLong(length: 65)),
    (long("é", 68), "message", .tooLong(length: 68)),
    ("", "message", .otherCharacters), ("", "mcp_call", .otherCharacters),
    ("msg_ b", "message", .otherCharacters), ("msg_é", "message", .otherCharacters),
    ("msg_1/", "message", .otherCharacters), ("msg.1", "message", .otherCharacters),
    ("msg_\u{7F}", "message", .otherCharacters), (long("é", 64), "mcp_call", .otherCharacters),
    ("item_1", "message", .otherPrefix(expected: "msg")),
    ("MSG_1", "message", .otherPrefix(expected: "msg")),
    ("ms", "message", .otherPrefix(expected: "msg")),
    ("fco_1", "message", .otherPrefix(expected: "msg")),
    ("call_1", "function_call_output", .otherPrefix(expected: "fc")),
    ("fs_1", "web_search_call", .otherPrefix(expected: "ws")),
  ])
  func `an id that no item can have is refused`(
    text: String, type: String, error: ItemIDError
  ) throws {
    #expect(try fault(text, of: type) == error)
  }

  @Test func `a minted id is the prefix, the time and 40 random digits`() throws {
    var generator = SystemRandomNumberGenerator()
    for name in Self.types.names {
      let type = try #require(Self.types[name])
      guard !type.idPrefix.isEmpty else { continue }
      let ids = (0..<3).map { _ in ItemID(of: type, at: 0x6b09_c592, using: &generator) }
      #expect(Set(ids).count == 3)
      for id in ids {
        #expect(id.description.hasPrefix(type.idPrefix + "6b09c592"))
        #expect(id.description.utf8.count == type.idPrefix.utf8.count + 48)
        #expect(id.isOfMintedForm)
        #expect(try fault(id.description, of: name) == nil)
        #expect(ItemID(id.description) == id)
      }
    }
  }

  private static let digits = String(repeating: "0123456789ab", count: 4)

  @Test(arguments: [
    "", "x_", "msg", "conv_", "ms", "msg__", "MSG_", "0",
  ])
  func `another prefix is not of the minted form`(prefix: String) {
    #expect(ItemID(prefix + Self.digits)?.isOfMintedForm == false)
  }

  private static let fewer = digits.dropLast()

  @Test(arguments: ["", "\(fewer)", "0\(digits)", "\(fewer)A", "\(fewer)g", "\(fewer)-"])
  func `other digits are not of the minted form`(digits: String) {
    #expect(ItemID("msg_" + digits)?.isOfMintedForm == false)
  }
}
