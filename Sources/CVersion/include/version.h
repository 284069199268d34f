#pragma once

/// The commit that the program was built from, abbreviated, with `-dirty` where files had changed; empty
/// when the build did not say, as a plain `swift build` does not.
const char *conversationd_commit(void);
