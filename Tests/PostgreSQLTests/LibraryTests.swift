import Testing

@testable import PostgreSQL

@Suite struct LibraryTests {
  @Test func `a missing library is told with the package that has it`() {
    #expect(throws: LibraryError.notInstalled) { try Library(file: "libpq-of-nobody.so.5") }
    #expect(LibraryError.notInstalled.description.contains("'libpq5'"))
  }

  @Test func `a library that lacks a function is told with the function`() {
    // The C library is one that is there and is not libpq.
    #expect(throws: LibraryError.tooOld(missing: "PQconninfoParse")) {
      try Library(file: "libc.so.6")
    }
  }
}
