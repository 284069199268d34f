/// A type of item, and the rules that its items must fulfil (contract, section 8.2). Everything else
/// in an item is the client's.
public struct ItemType: Sendable {
  /// What `type` says.
  public let name: String
  /// What a minted id begins with, `_` included; empty for a type whose items are not stored.
  public let idPrefix: String
  /// Whether the id that a client chose must begin with the letters of the prefix.
  public let isIDChecked: Bool
  /// Whether an item without `status` gets one.
  public let hasStatus: Bool
  /// The members that an item must have, in the order in which they are checked.
  public let required: [Requirement]

  /// A member that an item must have.
  public struct Requirement: Sendable {
    /// The member's key.
    public let name: String
    /// What its value must be.
    public let value: Value
  }

  /// What a value must be.
  public enum Value: Equatable, Sendable {
    /// Any string.
    case string
    /// An array of anything.
    case array
    /// An object of anything.
    case object
    /// `true` or `false`.
    case boolean
    /// A string, or an array of anything.
    case stringOrArray
    /// One of these strings.
    case word([String])
    /// Any value, null included.
    case anything
  }

  /// Whether a text can be the name of a type, known or not: 1 to 64 of `a-z 0-9 _`.
  public static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// The statuses that an item may have, whatever its type.
  public static let statuses = [
    "calling", "completed", "failed", "generating", "in_progress", "incomplete", "interpreting",
    "searching",
  ]

  /// What becomes the status of an item that is sent without one.
  public static let defaultStatus = "completed"

  /// The type of what a person, a model or a program said.
  public static let message = ItemType(
    "message", id: "msg_", isIDChecked: true, hasStatus: true,
    .word("role", ["assistant", "system", "developer", "user"]), .stringOrArray("content"))

  /// The type of a model's thoughts. Its items need an id or encrypted content besides.
  public static let reasoning = ItemType(
    "reasoning", id: "rs_", isIDChecked: true, .array("summary"))

  /// Not an item, but a wish for a copy of one that exists.
  public static let reference = ItemType("item_reference", id: "", .string("id"))

  /// Not an item, but an order to a model. It is taken, and nothing is stored.
  public static let compactionTrigger = ItemType("compaction_trigger", id: "")

  /// The table of the contract.
  static let known: [ItemType] = [
    message,
    ItemType(
      "function_call", id: "fc_", isIDChecked: true, hasStatus: true,
      .string("call_id"), .string("name"), .string("arguments")),
    ItemType(
      "function_call_output", id: "fc_", isIDChecked: true, hasStatus: true,
      .stringOrArray("output")),
    ItemType(
      "custom_tool_call", id: "ctc_", isIDChecked: true,
      .string("call_id"), .string("name"), .string("input")),
    ItemType(
      "custom_tool_call_output", id: "ctco_", .string("call_id"), .stringOrArray("output")),
    reasoning,
    ItemType("file_search_call", id: "fs_", hasStatus: true, .array("queries")),
    ItemType("web_search_call", id: "ws_", isIDChecked: true, hasStatus: true),
    ItemType("image_generation_call", id: "ig_", hasStatus: true),
    ItemType("code_interpreter_call", id: "ci_", hasStatus: true),
    ItemType("computer_call", id: "cu_", hasStatus: true, .string("call_id")),
    ItemType(
      "computer_call_output", id: "cuo_", hasStatus: true, .string("call_id"), .object("output")),
    ItemType(
      "local_shell_call", id: "lsh_", hasStatus: true, .string("call_id"), .object("action")),
    ItemType("local_shell_call_output", id: "lsho_", .string("output")),
    ItemType("shell_call", id: "sh_", hasStatus: true, .string("call_id"), .object("action")),
    ItemType(
      "shell_call_output", id: "sho_", hasStatus: true, .string("call_id"), .array("output")),
    ItemType(
      "apply_patch_call", id: "apc_", hasStatus: true, .string("call_id"), .object("operation")),
    ItemType("apply_patch_call_output", id: "apco_", hasStatus: true, .string("call_id")),
    ItemType("mcp_list_tools", id: "mcpl_", .string("server_label"), .array("tools")),
    ItemType(
      "mcp_approval_request", id: "mcpr_",
      .string("server_label"), .string("name"), .string("arguments")),
    ItemType(
      "mcp_approval_response", id: "mcpa_", .string("approval_request_id"), .boolean("approve")),
    ItemType(
      "mcp_call", id: "mcp_", .string("server_label"), .string("name"), .string("arguments")),
    ItemType(
      "tool_search_call", id: "tsc_", isIDChecked: true, hasStatus: true, .anything("arguments")),
    ItemType("tool_search_output", id: "tso_", hasStatus: true, .array("tools")),
    ItemType("additional_tools", id: "at_", .word("role", ["developer"]), .array("tools")),
    ItemType(
      "program", id: "prog_", .string("call_id"), .string("code"), .string("fingerprint")),
    ItemType(
      "program_output", id: "progo_", hasStatus: true, .string("call_id"), .string("result")),
    ItemType("compaction", id: "cmp_", .string("encrypted_content")),
    ItemType("configuration_update", id: "cfg_"),
    reference,
    compactionTrigger,
  ]

  /// What minted ids of types that the operator added begin with.
  static let moreIDPrefix = "item_"

  init(
    _ name: String, id idPrefix: String, isIDChecked: Bool = false, hasStatus: Bool = false,
    _ required: Requirement...
  ) {
    self.name = name
    self.idPrefix = idPrefix
    self.isIDChecked = isIDChecked
    self.hasStatus = hasStatus
    self.required = required
  }
}

/// The types of item that a server takes.
public struct ItemTypes: Sendable {
  private let byName: [String: ItemType]

  /// Their names, sorted.
  public let names: [String]

  /// - Parameter more: Names of types that the contract does not know, whose items are stored
  ///   without a rule. A known name changes nothing.
  public init(more: [String] = []) {
    let added = more.map { ItemType($0, id: ItemType.moreIDPrefix) }
    byName = Dictionary((ItemType.known + added).map { ($0.name, $0) }) { known, _ in known }
    names = byName.keys.sorted()
  }

  /// The type with a name.
  public subscript(name: String) -> ItemType? { byName[name] }
}

extension ItemType.Requirement {
  fileprivate static func string(_ name: String) -> Self { Self(name: name, value: .string) }
  fileprivate static func array(_ name: String) -> Self { Self(name: name, value: .array) }
  fileprivate static func object(_ name: String) -> Self { Self(name: name, value: .object) }
  fileprivate static func boolean(_ name: String) -> Self { Self(name: name, value: .boolean) }
  fileprivate static func stringOrArray(_ name: String) -> Self {
    Self(name: name, value: .stringOrArray)
  }
  fileprivate static func word(_ name: String, _ words: [String]) -> Self {
    Self(name: name, value: .word(words))
  }
  fileprivate static func anything(_ name: String) -> Self { Self(name: name, value: .anything) }
}
