import Foundation
import Testing

/// The seeds of the fuzzing, and every input that once showed a mistake.
@Suite struct CorpusTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "corpus")

  @Test(arguments: FuzzTarget.allCases)
  func `what must be true of every input is true of those that are kept`(
    target: FuzzTarget
  ) throws {
    let folder = Self.folder.appending(path: target.rawValue)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(!names.isEmpty)
    for name in names.sorted() {
      let input = try Data(contentsOf: folder.appending(path: name))
      #expect(throws: Never.self, "\(target.rawValue)/\(name)") { try target.check(Array(input)) }
    }
  }

  @Test func `every folder of inputs has its parser`() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(names) == Set(FuzzTarget.allCases.map(\.rawValue)))
  }
}
