import Dispatch
import Glibc

/// Removes a file that is being made and ends the process, when the person at the terminal gives up.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  /// - Parameter path: The file; it need not be there.
  init(removing path: String) {
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        unlink(path)
        // As a shell counts it.
        _exit(128 + number)
      }
      source.resume()
      return source
    }
  }

  /// The file is whole, or gone.
  func end() {
    for source in sources { source.cancel() }
  }
}
