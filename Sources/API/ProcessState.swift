internal import Glibc

/// What the process takes of its machine, as Prometheus's client libraries name it
/// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
struct ProcessState {
  /// The memory that is in use; nil where there is no /proc.
  let residentBytes: Int?
  /// Files, sockets and pipes; nil where there is no /proc.
  let openDescriptors: Int?
  /// The soft limit of those.
  let descriptorsMax: Int

  /// The state of this moment.
  static var now: ProcessState {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return ProcessState(
      residentBytes: residentPages.map { $0 * Int(getpagesize()) },
      openDescriptors: openDescriptorCount, descriptorsMax: Int(clamping: limit.rlim_cur))
  }

  /// The second number of /proc/self/statm (proc(5)).
  private static var residentPages: Int? {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &bytes, bytes.count)
    let words = bytes.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
    return words.count > 1 ? Int(String(decoding: words[1], as: UTF8.self)) : nil
  }

  private static var openDescriptorCount: Int? {
    guard let folder = opendir("/proc/self/fd") else { return nil }
    defer { closedir(folder) }
    // `.`, `..` and the folder itself are there too.
    var count = -3
    while readdir(folder) != nil { count += 1 }
    return count
  }
}
