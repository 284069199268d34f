internal import Embedded
internal import HTTP
internal import HTTPTypes
internal import Repository

extension API {
  /// `GET /openapi.json`: this interface, for programs.
  func description() -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: EmbeddedFile.named("Sources/API/openapi.json").bytes)
  }

  /// `GET /metrics`: what an operator watches, for Prometheus; on the management listener also what
  /// names keys and projects.
  func measurements(_ call: Call) -> Response {
    Response(
      status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
      body: metrics.text(
        connections: connections.values, repository: repository.state,
        namesKeys: call.isForManagement))
  }

  /// `GET /healthz`: the process runs and answers.
  func health() -> Response {
    Response(json: .statusOK)
  }

  /// `GET /readyz`: the database can be read and written.
  func readiness() throws(APIError) -> Response {
    if drain.hasBegun { throw .draining }
    do {
      try repository.checkReadiness()
    } catch {
      throw .notReady(error)
    }
    return Response(json: .statusOK)
  }
}
