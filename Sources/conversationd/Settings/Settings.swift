import API
import Conversations
import Glibc
import HTTP
import Logging
import PostgreSQLStore
import Repository
import SQLiteStore

/// The settings of one run, as they are used.
struct Settings: Sendable {
  var host = ""
  var port = 0
  /// Where to listen instead of `host` and `port`, if not empty.
  var listenAddresses: [ListenAddress] = []
  /// Whether other than loopback addresses may be served without TLS.
  var allowsInsecureHTTP = false
  /// Where the management listener listens; nil for nowhere.
  var managementAddress: ListenAddress?
  /// Whether its metrics have what is in each project.
  var countsProjects = false
  /// The file of the database.
  var databasePath = ""
  /// The URL of the database; empty for the one in the file.
  var databaseURL = ""
  /// The database that these two name.
  private(set) var database = Database.sqlite(path: "")
  var server = Server.Configuration()
  var api = API.Settings()
  /// What every engine has.
  var store = StoreSettings()
  /// What SQLite has alone.
  var sqlite = SQLiteStore.Settings()
  /// What PostgreSQL has alone.
  var postgreSQL = PostgreSQLStore.Settings()
  /// How long `/readyz` says that the server is about to stop before it does.
  var drainSeconds = 0
  /// What is deleted when it is old.
  var retention = RetentionRules()
  /// How long after the end of one round of deletions the next one begins.
  var retentionIntervalSeconds = 0
  var logLevel = Logger.Level.info
  var logsJSON = false
  /// The file of the certificate with its chain; empty for none.
  var certificatePath = ""
  /// The file of its private key; empty for none.
  var privateKeyPath = ""
  /// The files of the certificate and its private key; nil serves plain HTTP.
  var tls: TLSFiles?

  /// Where to listen; never empty.
  var addresses: [ListenAddress] {
    listenAddresses.isEmpty ? [.host(host, port: port)] : listenAddresses
  }

  /// - Throws: `Failure` when settings do not fit together.
  init(_ layers: SettingLayers) throws(Failure) {
    for value in layers.effective { value.setting.apply(Setting.Value(text: value.text), &self) }
    database = try Database(path: databasePath, url: databaseURL)
    tls = try TLSFiles(certificate: certificatePath, privateKey: privateKeyPath)
  }
}

/// The environment variables of this process.
func processEnvironment() -> [String: String] {
  var variables: [String: String] = [:]
  var next = environ
  while let variable = next.pointee {
    let text = String(cString: variable)
    if let cut = text.firstIndex(of: "="), variables[String(text[..<cut])] == nil {
      variables[String(text[..<cut])] = String(text[text.index(after: cut)...])
    }
    next += 1
  }
  return variables
}
