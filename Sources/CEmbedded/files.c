// The compiler copies each file into the binary (#embed of C23), and compiles this again when one of
// them has changed. SwiftPM's own way (.embedInCode) makes a Swift array literal of a file, for which
// the compiler takes 0.2 CPU seconds a kB.
//
// A new file needs an array and a line in the list, which is in the order of the paths.

#include "embedded.h"

static const unsigned char openapi[] = {
#embed "../API/openapi.json"
};
static const unsigned char page_api_js[] = {
#embed "../Dashboard/page/api.js"
};
static const unsigned char page_app_js[] = {
#embed "../Dashboard/page/app.js"
};
static const unsigned char page_bulk_js[] = {
#embed "../Dashboard/page/bulk.js"
};
static const unsigned char page_charts_js[] = {
#embed "../Dashboard/page/charts.js"
};
static const unsigned char page_conflict_js[] = {
#embed "../Dashboard/page/conflict.js"
};
static const unsigned char page_detail_js[] = {
#embed "../Dashboard/page/detail.js"
};
static const unsigned char page_dialogs_js[] = {
#embed "../Dashboard/page/dialogs.js"
};
static const unsigned char page_dom_js[] = {
#embed "../Dashboard/page/dom.js"
};
static const unsigned char page_editor_js[] = {
#embed "../Dashboard/page/editor.js"
};
static const unsigned char page_export_js[] = {
#embed "../Dashboard/page/export.js"
};
static const unsigned char page_filter_js[] = {
#embed "../Dashboard/page/filter.js"
};
static const unsigned char page_history_js[] = {
#embed "../Dashboard/page/history.js"
};
static const unsigned char page_icon_svg[] = {
#embed "../Dashboard/page/icon.svg"
};
static const unsigned char page_index_html[] = {
#embed "../Dashboard/page/index.html"
};
static const unsigned char page_items_js[] = {
#embed "../Dashboard/page/items.js"
};
static const unsigned char page_keys_js[] = {
#embed "../Dashboard/page/keys.js"
};
static const unsigned char page_list_js[] = {
#embed "../Dashboard/page/list.js"
};
static const unsigned char page_merge_js[] = {
#embed "../Dashboard/page/merge.js"
};
static const unsigned char page_metrics_js[] = {
#embed "../Dashboard/page/metrics.js"
};
static const unsigned char page_notice_js[] = {
#embed "../Dashboard/page/notice.js"
};
static const unsigned char page_overview_js[] = {
#embed "../Dashboard/page/overview.js"
};
static const unsigned char page_popover_js[] = {
#embed "../Dashboard/page/popover.js"
};
static const unsigned char page_query_js[] = {
#embed "../Dashboard/page/query.js"
};
static const unsigned char page_sign_in_js[] = {
#embed "../Dashboard/page/sign-in.js"
};
static const unsigned char page_snippets_js[] = {
#embed "../Dashboard/page/snippets.js"
};
static const unsigned char page_style_css[] = {
#embed "../Dashboard/page/style.css"
};
static const unsigned char page_table_js[] = {
#embed "../Dashboard/page/table.js"
};
static const unsigned char page_text_js[] = {
#embed "../Dashboard/page/text.js"
};
static const unsigned char page_toolbar_js[] = {
#embed "../Dashboard/page/toolbar.js"
};
static const unsigned char migration_1[] = {
#embed "../../migrations/0001_create_conversations.sql"
};
static const unsigned char migration_2[] = {
#embed "../../migrations/0002_find_conversations.sql"
};
static const unsigned char migration_3[] = {
#embed "../../migrations/0003_remember_idempotency_keys.sql"
};
static const unsigned char migration_4[] = {
#embed "../../migrations/0004_create_api_keys.sql"
};
static const unsigned char migration_5[] = {
#embed "../../migrations/0005_remember_newest_deleted.sql"
};
static const unsigned char migration_6[] = {
#embed "../../migrations/0006_store_items.sql"
};
static const unsigned char migration_7[] = {
#embed "../../migrations/0007_keep_last_activity.sql"
};
static const unsigned char migration_8[] = {
#embed "../../migrations/0008_grant_admin_rights.sql"
};
static const unsigned char migration_9[] = {
#embed "../../migrations/0009_limit_requests_of_keys.sql"
};
static const unsigned char migration_10[] = {
#embed "../../migrations/0010_keep_metadata_history.sql"
};
static const unsigned char postgresql_migration_1[] = {
#embed "../../migrations/postgresql/0001_create_schema.sql"
};
static const unsigned char postgresql_migration_2[] = {
#embed "../../migrations/postgresql/0002_limit_requests_of_keys.sql"
};
static const unsigned char postgresql_migration_3[] = {
#embed "../../migrations/postgresql/0003_keep_metadata_history.sql"
};

static const struct conversationd_file files[] = {
    {"Sources/API/openapi.json", openapi, sizeof openapi},
    {"Sources/Dashboard/page/api.js", page_api_js, sizeof page_api_js},
    {"Sources/Dashboard/page/app.js", page_app_js, sizeof page_app_js},
    {"Sources/Dashboard/page/bulk.js", page_bulk_js, sizeof page_bulk_js},
    {"Sources/Dashboard/page/charts.js", page_charts_js, sizeof page_charts_js},
    {"Sources/Dashboard/page/conflict.js", page_conflict_js, sizeof page_conflict_js},
    {"Sources/Dashboard/page/detail.js", page_detail_js, sizeof page_detail_js},
    {"Sources/Dashboard/page/dialogs.js", page_dialogs_js, sizeof page_dialogs_js},
    {"Sources/Dashboard/page/dom.js", page_dom_js, sizeof page_dom_js},
    {"Sources/Dashboard/page/editor.js", page_editor_js, sizeof page_editor_js},
    {"Sources/Dashboard/page/export.js", page_export_js, sizeof page_export_js},
    {"Sources/Dashboard/page/filter.js", page_filter_js, sizeof page_filter_js},
    {"Sources/Dashboard/page/history.js", page_history_js, sizeof page_history_js},
    {"Sources/Dashboard/page/icon.svg", page_icon_svg, sizeof page_icon_svg},
    {"Sources/Dashboard/page/index.html", page_index_html, sizeof page_index_html},
    {"Sources/Dashboard/page/items.js", page_items_js, sizeof page_items_js},
    {"Sources/Dashboard/page/keys.js", page_keys_js, sizeof page_keys_js},
    {"Sources/Dashboard/page/list.js", page_list_js, sizeof page_list_js},
    {"Sources/Dashboard/page/merge.js", page_merge_js, sizeof page_merge_js},
    {"Sources/Dashboard/page/metrics.js", page_metrics_js, sizeof page_metrics_js},
    {"Sources/Dashboard/page/notice.js", page_notice_js, sizeof page_notice_js},
    {"Sources/Dashboard/page/overview.js", page_overview_js, sizeof page_overview_js},
    {"Sources/Dashboard/page/popover.js", page_popover_js, sizeof page_popover_js},
    {"Sources/Dashboard/page/query.js", page_query_js, sizeof page_query_js},
    {"Sources/Dashboard/page/sign-in.js", page_sign_in_js, sizeof page_sign_in_js},
    {"Sources/Dashboard/page/snippets.js", page_snippets_js, sizeof page_snippets_js},
    {"Sources/Dashboard/page/style.css", page_style_css, sizeof page_style_css},
    {"Sources/Dashboard/page/table.js", page_table_js, sizeof page_table_js},
    {"Sources/Dashboard/page/text.js", page_text_js, sizeof page_text_js},
    {"Sources/Dashboard/page/toolbar.js", page_toolbar_js, sizeof page_toolbar_js},
    {"migrations/0001_create_conversations.sql", migration_1, sizeof migration_1},
    {"migrations/0002_find_conversations.sql", migration_2, sizeof migration_2},
    {"migrations/0003_remember_idempotency_keys.sql", migration_3, sizeof migration_3},
    {"migrations/0004_create_api_keys.sql", migration_4, sizeof migration_4},
    {"migrations/0005_remember_newest_deleted.sql", migration_5, sizeof migration_5},
    {"migrations/0006_store_items.sql", migration_6, sizeof migration_6},
    {"migrations/0007_keep_last_activity.sql", migration_7, sizeof migration_7},
    {"migrations/0008_grant_admin_rights.sql", migration_8, sizeof migration_8},
    {"migrations/0009_limit_requests_of_keys.sql", migration_9, sizeof migration_9},
    {"migrations/0010_keep_metadata_history.sql", migration_10, sizeof migration_10},
    {"migrations/postgresql/0001_create_schema.sql", postgresql_migration_1,
     sizeof postgresql_migration_1},
    {"migrations/postgresql/0002_limit_requests_of_keys.sql", postgresql_migration_2,
     sizeof postgresql_migration_2},
    {"migrations/postgresql/0003_keep_metadata_history.sql", postgresql_migration_3,
     sizeof postgresql_migration_3},
};

struct conversationd_file conversationd_embedded_file(size_t index) {
  return index < sizeof files / sizeof *files ? files[index] : (struct conversationd_file){0};
}
