import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct DatabaseURLTests {
  @Test(arguments: [
    ("postgresql://ann:s3cret@db.example:6432/app", "postgresql://ann:***@db.example:6432/app"),
    ("postgres://ann@one,two:6432/app", "postgresql://ann@one,two:6432/app"),
    ("postgresql://one:1,two:2/app", "postgresql://one:1,two:2/app"),
    ("postgresql://[::1]/app", "postgresql://::1/app"),
    (
      "postgresql:///app?user=ann&password=s3cret&host=/run/postgresql&sslmode=verify-full",
      "postgresql://ann:***@%2Frun%2Fpostgresql/app?sslmode=verify-full"
    ),
    (
      "postgresql://ann:a%40b%2Fs3cret@db/app?sslpassword=s3cret",
      "postgresql://ann:***@db/app?sslpassword=***"
    ),
    (
      "postgresql:///app?passfile=/etc/secret.pgpass",
      "postgresql:///app?passfile=/etc/secret.pgpass"
    ),
    ("postgresql://", "postgresql://"),
  ])
  func `a URL is shown without its password`(text: String, shown: String) throws {
    let url = try DatabaseURL(text)
    #expect(url.description == shown)
    #expect(!"\(url)".contains("s3cret"))
  }

  @Test(arguments: [
    ("mysql://db/app", DatabaseURLError.otherScheme),
    ("host=db password=s3cret", .otherScheme),
    ("postgresql://ann:a/s3cret@db/app", .unescapedPassword),
    ("postgresql://ann:12/s3cret@db/app", .unescapedPassword),
    ("postgresql://ann:x@s3cret:y@db/app", .unescapedPassword),
    ("postgresql://ann:pa@s3cret@db/app", .unescapedPassword),
    ("postgresql://db:s3cret/app", .malformedPort),
    ("postgresql://db:70000/app", .malformedPort),
    ("postgresql://ann:%s3cret@db/app", .malformed),
    ("postgresql://db/app?s3cret=1", .malformed),
  ])
  func `an error about a URL quotes no part of it`(text: String, expected: DatabaseURLError) {
    #expect(throws: expected) { try DatabaseURL(text) }
    #expect(!expected.description.contains("s3cret"))
  }

  @Test func `a text is told to be a URL by its scheme`() {
    #expect(DatabaseURL.isURL("postgresql://db") && DatabaseURL.isURL("postgres:///app"))
    #expect(!DatabaseURL.isURL("/var/lib/conversations.db") && !DatabaseURL.isURL("postgresql.db"))
  }

  @Test func `a wrong password is in no error`() throws {
    let cluster = try PostgreSQLCluster.shared.get()
    let right = try cluster.url(password: "p%40ss%2Fword%3A1")
    _ = try Connection(right)
    let wrong = try cluster.url(password: "wr0ng")
    let refusal = error { _ = try Connection(wrong) }
    #expect(refusal?.kind == .connection)
    #expect(refusal?.description.contains("wr0ng") == false)
  }
}

extension PostgreSQLCluster {
  /// The URL of the role that has to show a password.
  fileprivate func url(password: String) throws -> DatabaseURL {
    let folder = socketPath.split(separator: "/").dropLast().joined(separator: "%2F")
    return try DatabaseURL("postgresql://\(Self.secretive):\(password)@%2F\(folder)/postgres")
  }
}
