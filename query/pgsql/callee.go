package pgsql

import (
	"strings"
	"sync"
)

// callee is what is known of a function that a statement calls.
type callee uint8

const (
	calleeUnknown callee = iota
	calleeSafe           // the result depends on the arguments alone (or on the clock and the session's own settings)
	calleeReads          // it reads relations or their statistics by name
	calleeWrites         // it changes something
	calleeRuns           // it runs SQL, or reads what its arguments name
)

func (r *run) calleeOf(f *Function) callee {
	if r.an.safe[f.Schema+"."+f.Name] {
		return calleeSafe
	}
	if Builtin(f.Schema) && f.OID < firstNormalOID && f.Extension == "" {
		return builtinCallee(f)
	}
	if safeExtensions[f.Extension] && !unsafeExtensionFunctions[f.Name] && f.Volatile != 'v' {
		return calleeSafe
	}
	return calleeUnknown
}

func builtinCallee(f *Function) callee {
	switch {
	case f.Kind == 'a' || f.Kind == 'w':
		return calleeSafe
	case runningBuiltins[f.Name]:
		return calleeRuns
	case writingBuiltins[f.Name]:
		return calleeWrites
	case readingBuiltins[f.Name]:
		return calleeReads
	}
	for _, p := range writingPrefixes {
		if strings.HasPrefix(f.Name, p) {
			return calleeWrites
		}
	}
	for _, p := range readingPrefixes {
		if strings.HasPrefix(f.Name, p) {
			return calleeReads
		}
	}
	if f.Volatile == 'v' && !harmlessVolatile[f.Name] {
		return calleeUnknown
	}
	return calleeSafe
}

// writingPrefixes begin the names of built-in functions that change something,
// run SQL, or reach files and other processes.
var writingPrefixes = []string{"lo_", "be_lo_", "pg_advisory", "pg_try_advisory", "pg_read_", "pg_ls_", "pg_stat_file", "pg_stat_reset", "pg_file_",
	"pg_create_", "pg_drop_", "pg_copy_", "pg_logical_", "pg_replication_", "pg_start_", "pg_stop_", "pg_backup_", "pg_switch_", "pg_wal_replay_",
	"binary_upgrade_", "pg_nextoid", "pg_import_", "brin_", "gin_clean", "pg_restore_", "pg_clear_", "pg_sync_", "pg_set_"}

var writingBuiltins = set("nextval setval lowrite pg_notify pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile " +
	"pg_rotate_logfile_old pg_promote pg_export_snapshot pg_log_backend_memory_contexts " +
	"txid_current pg_current_xact_id set_config pg_extension_config_dump pg_stat_clear_snapshot pg_stat_force_next_flush")

// runningBuiltins run SQL, or read what an argument names: what they read is
// not in the text.
var runningBuiltins = set("ts_stat ts_rewrite query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema " +
	"table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema " +
	"database_to_xml database_to_xmlschema database_to_xml_and_xmlschema dblink pg_get_wal_summarizer_state pg_wal_summary_contents " +
	"lo_open lo_close loread lo_lseek lo_lseek64 lo_tell lo_tell64 lo_get lo_export lo_import pg_mcv_list_items currtid currtid2")

// readingPrefixes begin the names of built-in functions that tell something of
// stored data.
var readingPrefixes = []string{"pg_stat_get_", "pg_stat_", "pg_show_"}

var readingBuiltins = set("currval lastval pg_sequence_last_value pg_get_sequence_data pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size " +
	"pg_lock_status pg_prepared_xact pg_cursor pg_prepared_statement pg_relation_filenode pg_relation_filepath " +
	"pg_column_toast_chunk_id")

var harmlessVolatile = set("random random_normal setseed clock_timestamp timeofday gen_random_uuid uuidv4 uuidv7 pg_sleep pg_sleep_for pg_sleep_until " +
	"pg_partition_ancestors pg_partition_root pg_partition_tree pg_backend_pid pg_blocking_pids pg_safe_snapshot_blocking_pids pg_notification_queue_usage pg_listening_channels " +
	"pg_is_in_recovery pg_postmaster_start_time pg_conf_load_time pg_current_wal_lsn inet_client_addr inet_client_port inet_server_addr inet_server_port " +
	"pg_database_size pg_tablespace_size pg_get_keywords pg_timezone_names pg_timezone_abbrevs current_setting " +
	"pg_current_xact_id_if_assigned txid_current_if_assigned pg_input_is_valid pg_input_error_info pg_options_to_table unicode_version icu_unicode_version")

// safeExtensions hold functions over their arguments.
var safeExtensions = set("citext hstore ltree pg_trgm fuzzystrmatch unaccent pgcrypto cube earthdistance btree_gist btree_gin intarray isn seg uuid-ossp")

var unsafeExtensionFunctions = set("ts_stat show_limit set_limit")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// sensitiveCatalogs are relations of the server that can hold protected values
// or credentials, with what of them.
var sensitiveCatalogs = map[string]string{
	"pg_statistic": "statistics quote values", "pg_stats": "statistics quote values", "pg_statistic_ext_data": "statistics quote values",
	"pg_stats_ext": "statistics quote values", "pg_stats_ext_exprs": "statistics quote values",
	"pg_stat_activity": "it shows other sessions' statements", "pg_stat_statements": "it shows other sessions' statements",
	"pg_largeobject": "it holds large objects", "pg_authid": "it holds credentials", "pg_shadow": "it holds credentials",
	"pg_user_mapping": "it holds credentials", "pg_user_mappings": "it holds credentials", "pg_subscription": "it holds credentials",
	"pg_hba_file_rules": "it shows files of the server", "pg_file_settings": "it shows files of the server", "pg_ident_file_mappings": "it shows files of the server",
	"pg_stat_replication": "it shows other sessions", "pg_stat_wal_receiver": "it holds credentials",
}

// sensitiveColumns of harmless catalogs tell how many rows relations hold,
// partitions and partial indexes among them.
var sensitiveColumns = map[string][]string{"pg_class": {"reltuples", "relpages", "relallvisible", "relallfrozen"}}

// hideColumns puts a gap on the columns of a catalog that must not be shown.
func (r *run) hideColumns(item *rangeItem) *rangeItem {
	names := sensitiveColumns[item.relation.Name]
	if item.relation.Schema != "pg_catalog" || names == nil {
		return item
	}
	for i := range item.cols {
		if c := &item.cols[i]; contains(names, c.name) {
			c.value.gaps = []pendingGap{{reason: "column pg_catalog." + item.relation.Name + "." + c.name + " cannot be shown: it counts rows"}}
		}
	}
	return item
}

// catalogRelation notes a relation of the server itself.
func (r *run) catalogRelation(rel *Relation, pos int32) {
	if why := sensitiveCatalogs[rel.Name]; why != "" {
		r.gap(pos, "relation "+rel.Schema+"."+rel.Name+" cannot be shown: "+why)
	}
}

// lookups are indexes over a catalog, made when first needed.
type lookups struct {
	once      sync.Once
	byOID     map[uint32]*Function
	arrayType map[uint32]uint32
}

func (c *catalogCache) index() *lookups {
	c.look.once.Do(func() {
		c.look.byOID = map[uint32]*Function{}
		for _, list := range c.catalog.functions {
			for _, f := range list {
				c.look.byOID[f.OID] = f
			}
		}
		c.look.arrayType = map[uint32]uint32{}
		for _, t := range c.catalog.Types {
			if t.Elem != 0 && strings.HasPrefix(t.Name, "_") {
				c.look.arrayType[t.Elem] = t.OID
			}
		}
	})
	return &c.look
}

func (c *catalogCache) functions() map[uint32]*Function { return c.index().byOID }

func (c *catalogCache) arrays() map[uint32]uint32 { return c.index().arrayType }

func (c *catalogCache) hasCasts() bool { return len(c.catalog.Casts) > 0 }
