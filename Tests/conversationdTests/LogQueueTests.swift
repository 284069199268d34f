import Glibc
import Synchronization
import Testing

@testable import conversationd

@Suite(.timeLimit(.minutes(1))) struct LogQueueTests {
  @Test func `lines arrive in order, and flush waits for them`() throws {
    let pipe = Pipe()
    let queue = LogQueue(to: pipe.writeEnd, lineAboutDropped: { Array("\($0) dropped\n".utf8) })
    let lines = (0..<1000).map { "line \($0)\n" }
    for line in lines { queue.append(Array(line.utf8)) }
    queue.flush()
    #expect(pipe.read() == lines.joined())
  }

  @Test func `flush ends also when nobody reads, and what has no room is told of later`() {
    let pipe = Pipe()
    let dropped = Atomic(0)
    let queue = LogQueue(
      to: pipe.writeEnd, lineAboutDropped: { Array("\($0) dropped\n".utf8) },
      whenDropped: { dropped.add($0, ordering: .relaxed) })
    let line = Array(repeating: UInt8(ascii: "x"), count: 4095) + [UInt8(ascii: "\n")]
    let fitting = LogQueue.bytesMax / line.count
    // What the pipe takes by itself makes room.
    for _ in 0..<(fitting + 1000) { queue.append(line) }
    queue.flush()
    let count = dropped.load(ordering: .relaxed)
    #expect((900...1000).contains(count))

    var text = ""
    while !text.hasSuffix("dropped\n") { text += pipe.read() }
    #expect(text.split(separator: "\n").last == "\(count) dropped")
    #expect(text.utf8.count > LogQueue.bytesMax)
    queue.append(Array("next\n".utf8))
    queue.flush()
    #expect(pipe.read() == "next\n")
  }

  @Test func `lines that cannot be written are counted`() {
    signal(SIGPIPE, SIG_IGN)
    let pipe = Pipe()
    close(pipe.readEnd)
    let dropped = Atomic(0)
    let queue = LogQueue(
      to: pipe.writeEnd, lineAboutDropped: { Array("\($0) dropped\n".utf8) },
      whenDropped: { dropped.add($0, ordering: .relaxed) })
    for number in 1...3 {
      queue.append(Array("a\nb\n".utf8))
      queue.flush()
      #expect(dropped.load(ordering: .relaxed) == 2 * number)
    }
  }
}

/// Left open: the thread of a queue may still write to it.
private struct Pipe {
  let readEnd: Int32
  let writeEnd: Int32

  init() {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  func read() -> String {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = Glibc.read(readEnd, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
