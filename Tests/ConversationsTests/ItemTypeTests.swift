import Conversations
import Testing

@Suite struct ItemTypeTests {
  @Test func `the names are those of the contract, sorted`() {
    #expect(
      ItemTypes().names == [
        "additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call",
        "compaction", "compaction_trigger", "computer_call", "computer_call_output",
        "configuration_update", "custom_tool_call", "custom_tool_call_output", "file_search_call",
        "function_call", "function_call_output", "image_generation_call", "item_reference",
        "local_shell_call", "local_shell_call_output", "mcp_approval_request",
        "mcp_approval_response", "mcp_call", "mcp_list_tools", "message", "program",
        "program_output", "reasoning", "shell_call", "shell_call_output", "tool_search_call",
        "tool_search_output", "web_search_call",
      ])
  }

  /// The contract's table, column by column.
  @Test(arguments: [
    ("message", "msg_!", "role content", true), ("compaction", "cmp_", "encrypted_content", false),
    ("function_call", "fc_!", "call_id name arguments", true),
    ("function_call_output", "fc_!", "output", true),
    ("custom_tool_call", "ctc_!", "call_id name input", false),
    ("custom_tool_call_output", "ctco_", "call_id output", false),
    ("reasoning", "rs_!", "summary", false), ("file_search_call", "fs_", "queries", true),
    ("web_search_call", "ws_!", "", true), ("image_generation_call", "ig_", "", true),
    ("code_interpreter_call", "ci_", "", true), ("computer_call", "cu_", "call_id", true),
    ("computer_call_output", "cuo_", "call_id output", true),
    ("local_shell_call", "lsh_", "call_id action", true),
    ("local_shell_call_output", "lsho_", "output", false),
    ("shell_call", "sh_", "call_id action", true),
    ("shell_call_output", "sho_", "call_id output", true),
    ("apply_patch_call", "apc_", "call_id operation", true),
    ("apply_patch_call_output", "apco_", "call_id", true),
    ("mcp_list_tools", "mcpl_", "server_label tools", false),
    ("mcp_approval_request", "mcpr_", "server_label name arguments", false),
    ("mcp_approval_response", "mcpa_", "approval_request_id approve", false),
    ("mcp_call", "mcp_", "server_label name arguments", false),
    ("tool_search_call", "tsc_!", "arguments", true), ("tool_search_output", "tso_", "tools", true),
    ("additional_tools", "at_", "role tools", false),
    ("program", "prog_", "call_id code fingerprint", false),
    ("program_output", "progo_", "call_id result", true),
    ("configuration_update", "cfg_", "", false), ("item_reference", "", "id", false),
    ("compaction_trigger", "", "", false),
  ])
  func `a type has the rules of the contract`(
    name: String, id: String, required: String, hasStatus: Bool
  ) throws {
    let type = try #require(ItemTypes()[name])
    #expect(type.idPrefix + (type.isIDChecked ? "!" : "") == id)
    #expect(type.required.map(\.name).joined(separator: " ") == required)
    #expect(type.hasStatus == hasStatus)
  }

  @Test func `an operator may add types, which have no rules`() throws {
    let types = ItemTypes(more: ["zz_call", "message"])
    let added = try #require(types["zz_call"])
    #expect(added.idPrefix == "item_" && added.required.isEmpty)
    #expect(!added.isIDChecked && !added.hasStatus)
    #expect(types["message"]?.idPrefix == "msg_")
    #expect(types.names.count == ItemTypes().names.count + 1)
    #expect(types.names.last == "zz_call")
    #expect(ItemTypes()["zz_call"] == nil)
  }
}
