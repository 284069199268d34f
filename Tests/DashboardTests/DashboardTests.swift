import Dashboard
import Testing

/// The files of the page, as they are in the binary.
@Suite struct DashboardTests {
  /// What a browser loads on its first visit, all together.
  static let bytesMax = 171_000

  @Test func `the page and all that it loads stay small`() {
    let bytes = Dashboard.assets.reduce(Dashboard.page.bytes.count) { $0 + $1.bytes.count }
    #expect(bytes <= Self.bytesMax)
  }

  @Test func `the version is a hash, and every path in the page has it`() {
    #expect(Dashboard.version.wholeMatch(of: /[0-9a-f]{16}/) != nil)
    let page = String(decoding: Dashboard.page.bytes, as: UTF8.self)
    #expect(!page.contains("{version}"))
    let paths = page.matches(of: /(?:href|src)="([^"#][^"]*)"/).map { String($0.output.1) }
    #expect(paths.count == 3)
    for path in paths {
      let parts = path.split(separator: "/").map(String.init)
      #expect(parts.dropLast() == ["dashboard", Dashboard.version])
      #expect(Dashboard.assets.contains { $0.name == parts.last })
    }
  }

  @Test func `every module is loaded by another one or by the page`() {
    var reached: Set = ["app.js"]
    var waiting = ["app.js"]
    while let name = waiting.popLast() {
      for other in imports(of: name) where reached.insert(other).inserted { waiting.append(other) }
    }
    let modules = Dashboard.assets.map(\.name).filter { $0.hasSuffix(".js") }
    #expect(reached == Set(modules))
  }

  private func imports(of name: String) -> [String] {
    let file = Dashboard.assets.first { $0.name == name }
    let text = String(decoding: file?.bytes ?? [], as: UTF8.self)
    return text.matches(of: /from "\.\/([^"]+)";/).map { String($0.output.1) }
  }

  @Test func `nothing is loaded from elsewhere, and no markup is made of text`() {
    for file in Dashboard.assets + [Dashboard.page] {
      let text = String(decoding: file.bytes, as: UTF8.self)
        .replacing("http://www.w3.org/2000/svg", with: "")
      for word in [
        "http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(",
        "document.write", "new Function", "@import", " url(",
      ] {
        #expect(!text.contains(word), "\(word) in \(file.name)")
      }
    }
  }

  @Test func `files have the media types that browsers demand`() {
    #expect(Dashboard.page.mediaType == "text/html; charset=utf-8")
    let types = Dictionary(
      Dashboard.assets.map { ($0.name, $0.mediaType) }, uniquingKeysWith: { $1 })
    #expect(types["app.js"] == "text/javascript; charset=utf-8")
    #expect(types["style.css"] == "text/css; charset=utf-8")
    #expect(types["icon.svg"] == "image/svg+xml")
  }
}
