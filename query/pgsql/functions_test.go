package pgsql

import "testing"

func TestSafety(t *testing.T) {
	cat := &Catalog{}
	builtin := func(name string, volatile byte) *Function {
		return &Function{OID: 1000, Schema: "pg_catalog", Name: name, Kind: 'f', Volatile: volatile, Language: "internal"}
	}
	for _, c := range []struct {
		f        *Function
		want     Safety
		mayWrite bool
	}{
		{builtin("upper", 'i'), Pure, false},
		{builtin("to_char", 's'), Pure, false},
		{builtin("now", 's'), Session, false},
		{builtin("currval", 'v'), Session, false},
		{builtin("pg_get_viewdef", 's'), Session, false},
		{builtin("pg_advisory_unlock_all", 'v'), Session, false},
		{builtin("pg_type_is_visible", 's'), Session, false},
		{builtin("pg_relation_size", 'v'), Reads, false},
		{builtin("pg_stat_get_live_tuples", 's'), Reads, false},
		{builtin("loread", 'v'), Reads, false},
		{builtin("ts_rewrite", 'v'), Runs, true},
		{builtin("ts_rewrite", 'i'), Pure, false},
		{builtin("query_to_xml", 'v'), Runs, true},
		{builtin("database_to_xml_and_xmlschema", 's'), Runs, true},
		{builtin("pg_logical_slot_get_changes", 'v'), Runs, true},
		{builtin("pg_read_file", 'v'), Files, true},
		{builtin("lo_import", 'v'), Files, true},
		{builtin("nextval", 'v'), Writes, true},
		{builtin("lo_from_bytea", 'v'), Writes, true},
		{builtin("pg_notify", 'v'), Writes, true},
		{builtin("pg_advisory_xact_lock", 'v'), Writes, true},
		{builtin("pg_terminate_backend", 'v'), Writes, true},
		{builtin("set_config", 'v'), Writes, false},
		{builtin("setseed", 'v'), Writes, false},
		{builtin("not_yet_invented", 'i'), Pure, false},
		{builtin("not_yet_invented", 's'), Unknown, false},
		{builtin("not_yet_invented", 'v'), Unknown, true},
		{&Function{OID: 20000, Schema: "pg_catalog", Name: "upper", Volatile: 'i', Language: "sql"}, Unknown, false},
		{&Function{OID: 20000, Schema: "public", Name: "set_config", Volatile: 'v', Language: "sql"}, Unknown, true},
		{&Function{OID: 20000, Schema: "hr", Name: "pay", Kind: 'p', Volatile: 'i', Language: "plpgsql"}, Unknown, true},
		{&Function{OID: 13000, Schema: "information_schema", Name: "_pg_index_position", Volatile: 's', Language: "sql"}, Session, false},
		{&Function{OID: 13600, Schema: "pg_catalog", Name: "plpgsql_validator", Volatile: 'v', Language: "c", Extension: "plpgsql"}, Reads, false},
		{&Function{OID: 20000, Schema: "public", Name: "citext_eq", Volatile: 'i', Language: "c", Extension: "citext"}, Pure, false},
		{&Function{OID: 20000, Schema: "public", Name: "planted", Volatile: 'i', Language: "sql", Extension: "citext"}, Unknown, false},
		{&Function{OID: 20000, Schema: "public", Name: "planted", Volatile: 'v', Language: "c", Extension: "citext"}, Unknown, true},
		{&Function{OID: 20000, Schema: "public", Name: "crosstab", Volatile: 's', Language: "c", Extension: "tablefunc"}, Unknown, false},
		{&Function{OID: 20000, Schema: "public", Name: "st_area", Volatile: 'i', Language: "c", Extension: "postgis"}, Pure, false},
		{&Function{OID: 20000, Schema: "public", Name: "st_estimatedextent", Volatile: 's', Language: "c", Extension: "postgis"}, Reads, false},
		{&Function{OID: 20000, Schema: "public", Name: "addgeometrycolumn", Volatile: 'v', Language: "plpgsql", Extension: "postgis"}, Unknown, true},
		{&Function{OID: 20000, Schema: "public", Name: "dblink", Volatile: 'v', Language: "c", Extension: "dblink"}, Unknown, true},
	} {
		if got := cat.Safety(c.f); got != c.want {
			t.Errorf("%s %c %s is %s, want %s", c.f.Name, c.f.Volatile, c.f.Extension, got, c.want)
		}
		if got := cat.MayWrite(c.f); got != c.mayWrite {
			t.Errorf("%s %c %s may write: %v", c.f.Name, c.f.Volatile, c.f.Extension, got)
		}
	}
}

func TestCatalogRelation(t *testing.T) {
	for _, c := range []struct {
		schema, relation, column string
		want                     bool
	}{
		{"pg_catalog", "pg_class", "relname", false},
		{"pg_catalog", "pg_class", "reltuples", true},
		{"pg_catalog", "pg_attribute", "attname", false},
		{"pg_catalog", "pg_attribute", "attmissingval", false}, // what it shows is worked out: missingValues
		{"pg_catalog", "pg_stats", "attname", true},
		{"pg_catalog", "pg_statistic_ext", "stxname", false},
		{"pg_catalog", "pg_statistic_ext_data", "stxdmcv", true},
		{"pg_catalog", "pg_locks", "mode", false},
		{"pg_catalog", "pg_locks", "page", true},
		{"pg_catalog", "pg_locks", "tuple", true},
		{"pg_catalog", "pg_stat_activity", "pid", false},
		{"pg_catalog", "pg_stat_activity", "query", true},
		{"pg_catalog", "pg_stat_user_tables", "n_live_tup", true},
		{"pg_catalog", "pg_statio_all_tables", "heap_blks_read", true},
		{"pg_catalog", "pg_statio_all_tables", "relname", false},
		{"pg_catalog", "pg_stat_user_functions", "funcname", true},
		{"pg_catalog", "pg_proc", "prosrc", false},
		{"pg_catalog", "pg_authid", "rolname", true},
		{"pg_catalog", "pg_roles", "rolname", false},
		{"pg_catalog", "pg_largeobject", "data", true},
		{"pg_catalog", "pg_settings", "setting", false},
		{"pg_catalog", "pg_not_yet_invented", "x", true},
		{"information_schema", "columns", "column_name", false},
		{"information_schema", "user_mapping_options", "option_value", true},
		{"pg_toast", "pg_toast_16400", "chunk_data", true},
		{"public", "pg_stats", "x", false},
	} {
		if got, why := CatalogColumn(c.schema, c.relation, c.column); got != c.want || got != (why != "") {
			t.Errorf("%s.%s.%s: %v %q", c.schema, c.relation, c.column, got, why)
		}
	}
}
