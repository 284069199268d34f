import CProcess

/// Removes what is being made when a signal ends the process, such as the one of Ctrl-C. There is one
/// of these at a time.
final class Interruption {
  /// - Parameters:
  ///   - file: The file that is being made; it need not be there.
  ///   - folder: Its folder, if that is there for this file alone.
  init(removing file: String, in folder: String? = nil) {
    process_begin_removing(file, folder)
  }

  /// Everything is whole, or gone.
  func end() {
    process_end_removing()
  }
}
