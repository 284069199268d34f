import ArgumentParser
import JSON

/// A value of the JSON that commands print for programs.
indirect enum JSONValue {
  case null
  case boolean(Bool)
  case integer(Int64)
  case decimal(Double)
  case string(String)
  case array([JSONValue])
  /// With its members in this order.
  case object(KeyValuePairs<String, JSONValue>)

  /// The value, or null.
  static func optional<T>(_ value: T?, _ make: (T) -> JSONValue) -> JSONValue {
    value.map(make) ?? .null
  }

  /// Its text, in one line.
  var text: String {
    var writer = JSONWriter()
    write(to: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private func write(to writer: inout JSONWriter) {
    switch self {
    case .null: writer.raw("null")
    case .boolean(let value): if value { writer.raw("true") } else { writer.raw("false") }
    case .integer(let value): writer.integer(value)
    case .decimal(let value):
      writer.raw(value.isFinite ? Array("\(value)".utf8) : Array("null".utf8))
    case .string(let value): writer.string(value)
    case .array(let values):
      writer.raw("[")
      for (index, value) in values.enumerated() {
        if index > 0 { writer.raw(",") }
        value.write(to: &writer)
      }
      writer.raw("]")
    case .object(let members):
      writer.raw("{")
      for (index, member) in members.enumerated() {
        if index > 0 { writer.raw(",") }
        writer.string(member.key)
        writer.raw(":")
        member.value.write(to: &writer)
      }
      writer.raw("}")
    }
  }
}

/// The option of commands whose output a program may want to read.
struct JSONOption: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print one line of JSON.")
  var isWanted = false
}
