import API
import HTTP
import Synchronization

/// The API that answers requests, which can be exchanged while they come.
final class ServedAPI: Sendable {
  private final class Version: Sendable {
    let api: API

    init(_ api: API) {
      self.api = api
    }
  }

  /// The last of `versions`, read without a lock by each request.
  private let newest: Atomic<Unmanaged<Version>>
  /// All stay, since a request may be at work with one of them; they are few.
  private let versions: Mutex<[Version]>

  init(_ api: API) {
    let version = Version(api)
    newest = Atomic(Unmanaged.passUnretained(version))
    versions = Mutex([version])
  }

  /// Answers from now on with other settings.
  func use(_ settings: API.Settings) {
    versions.withLock { versions in
      let version = Version(versions.last!.api.with(settings))
      versions.append(version)
      newest.store(Unmanaged.passUnretained(version), ordering: .releasing)
    }
  }

  func respond(to request: Request) -> Answer {
    newest.load(ordering: .acquiring)._withUnsafeGuaranteedRef { $0.api.respond(to: request) }
  }

  func refuseContent(of request: Request) -> Eventual<Response?> {
    newest.load(ordering: .acquiring)._withUnsafeGuaranteedRef { $0.api.refuseContent(of: request) }
  }

  func respondToManagement(_ request: Request, reach: ListeningSocket.Reach) -> Answer {
    newest.load(ordering: .acquiring)._withUnsafeGuaranteedRef {
      $0.api.respondToManagement(request, reach: reach)
    }
  }
}
