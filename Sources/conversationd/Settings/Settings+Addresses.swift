import HTTP

extension Settings {
  /// Why only this machine may be served, whatever API keys there are; nil when others may be.
  var reasonAgainstOtherMachines: String? {
    if tls != nil || allowsInsecureHTTP { return nil }
    return "since without TLS anybody on the way could read keys and data: set "
      + "'tls.certificate' and 'tls.private_key', or confirm with "
      + "--insecure-http that a proxy in front terminates it"
  }

  /// Refuses addresses that a server would refuse, as far as the settings alone tell.
  ///
  /// - Throws: `.configuration`, for the first of them.
  func checkAddresses() throws(Failure) {
    guard let reason = reasonAgainstOtherMachines else { return }
    for address in addresses where address.isKnownToReachOtherMachines {
      throw Failure(.notLoopback, address, notLoopback: reason)
    }
  }
}
