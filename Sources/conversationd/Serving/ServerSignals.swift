import CProcess
import Glibc

/// What the signals of the process ask of a server. Those that came since the process began are there
/// too, unless the process was started to ignore them.
struct ServerSignals {
  /// Yields for SIGTERM and SIGINT.
  let stops: AsyncStream<Void>
  /// Yields for SIGHUP; several that nobody has looked at count as one.
  let hangUps: AsyncStream<Void>
  private let stop: AsyncStream<Void>.Continuation

  /// Takes the signals from now on. Other threads that are started later never see them.
  init() {
    let (stops, stop) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let (hangUps, hangUp) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    (self.stops, self.stop, self.hangUps) = (stops, stop, hangUps)
    let held = process_hold_server_signals()
    startThread("signals") {
      var held = held
      while true {
        var number: Int32 = 0
        sigwait(&held, &number)
        switch number {
        case SIGTERM, SIGINT: stop.yield()
        case SIGHUP: hangUp.yield()
        // SIGUSR1 and SIGUSR2, which would end the process.
        default: break
        }
      }
    }
  }

  /// Asks for the same as SIGTERM.
  func requestStop() {
    stop.yield()
  }
}
