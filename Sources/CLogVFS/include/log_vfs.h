// A layer above SQLite's file access (https://www.sqlite.org/vfs.html) that writes to the write-ahead
// log in large pieces. SQLite writes each frame of the log by two calls: its header, then its page.
#pragma once

/// Registers the layer above what is SQLite's default VFS at the first call.
///
/// Returns its name, for sqlite3_open_v2; NULL when SQLite cannot be initialized.
const char *conversationd_log_vfs(void);
