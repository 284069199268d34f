/// The settings of a server that runs, and what it takes over of those that are read again.
struct SettingsInUse {
  private(set) var settings: Settings
  private var values: [SettingLayers.Effective]

  /// A setting that has another value now.
  struct Change {
    let key: String
    /// As people may see it.
    let before: String
    /// As people may see it.
    let after: String
    /// Whether it counts from now on; otherwise it does after a restart.
    let isDone: Bool
  }

  init(_ layers: SettingLayers) throws(Failure) {
    settings = try Settings(layers)
    values = layers.effective
  }

  /// Takes over what may change.
  ///
  /// - Returns: What is another value than the one in use.
  /// - Throws: `Failure` when a server with these settings would not start; then nothing changes.
  mutating func take(_ layers: SettingLayers) throws(Failure) -> [Change] {
    let wanted = try Settings(layers)
    // A certificate may be exchanged for another; with or without TLS is a matter of the start.
    let keepsTLS = (settings.tls == nil) == (wanted.tls == nil)
    var changes: [Change] = []
    for (index, value) in layers.effective.enumerated() where value.text != values[index].text {
      let key = value.setting.key
      let isDone = value.setting.isReloadable || key.hasPrefix("tls.") && keepsTLS
      changes.append(
        Change(key: key, before: values[index].shown, after: value.shown, isDone: isDone))
      guard isDone else { continue }
      value.setting.apply(Setting.Value(text: value.text), &settings)
      values[index] = value
    }
    if keepsTLS { settings.tls = wanted.tls }
    return changes
  }
}
