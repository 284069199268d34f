public import Conversations
public import Repository

extension ChangeAuthor {
  /// Who changes sets in tests that are not about that.
  public static let test = ChangeAuthor(keyName: nil, requestID: "req_test")
}

extension Store {
  /// Changes a conversation's set, whatever it is and whoever does it.
  public func changeMetadata(
    of id: ConversationID, in project: ProjectID, by change: MetadataChange,
    if precondition: Precondition = .none
  ) async throws(RepositoryError) -> Conversation {
    try await changeMetadata(of: id, in: project, by: change, if: precondition, for: .test)
  }
}
