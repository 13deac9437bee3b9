package pgsql

import "strings"

// builtinFunctions classifies functions of pg_catalog by name, in all their
// signatures, for PostgreSQL 14 to 18. Immutable functions need no entry.
//
// Conversions count as pure although they depend on settings. Their type may
// be a domain, whose checks the analyser follows. Sizes of relations are
// statistics: they tell the length of values.
var builtinFunctions = func() map[string]Safety {
	m := map[string]Safety{}
	add := func(s Safety, words string) {
		for _, w := range strings.Fields(words) {
			m[w] = s
		}
	}
	add(Pure, "array_to_json array_to_string anytextcat textanycat concat concat_ws convert convert_from convert_to date "+
		"date_add date_cmp_timestamptz date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz date_le_timestamptz "+
		"date_lt_timestamptz date_ne_timestamptz date_part date_subtract date_trunc extract format "+
		"generate_series in_range interval_pl_timestamptz json_agg json_agg_strict json_build_array json_build_object "+
		"json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict "+
		"json_populate_record json_populate_recordset json_to_record json_to_recordset json_to_tsvector jsonb_agg "+
		"jsonb_agg_strict jsonb_build_array jsonb_build_object jsonb_path_exists_tz jsonb_path_match_tz "+
		"jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record "+
		"jsonb_populate_record_valid jsonb_populate_recordset jsonb_to_record jsonb_to_recordset jsonb_to_tsvector "+
		"length make_timestamptz money numeric overlaps pg_column_compression pg_column_size pg_column_toast_chunk_id "+
		"pg_options_to_table pg_split_walfile_name pg_typeof phraseto_tsquery "+
		"plainto_tsquery quote_literal quote_nullable row_to_json time timestamp timestamp_cmp_timestamptz "+
		"timestamp_eq_timestamptz timestamp_ge_timestamptz timestamp_gt_timestamptz timestamp_le_timestamptz "+
		"timestamp_lt_timestamptz timestamp_ne_timestamptz timestamptz timestamptz_cmp_date timestamptz_cmp_timestamp "+
		"timestamptz_eq_date timestamptz_eq_timestamp timestamptz_ge_date timestamptz_ge_timestamp timestamptz_gt_date "+
		"timestamptz_gt_timestamp timestamptz_le_date timestamptz_le_timestamp timestamptz_lt_date "+
		"timestamptz_lt_timestamp timestamptz_mi_interval timestamptz_ne_date timestamptz_ne_timestamp "+
		"timestamptz_pl_interval timetz timezone to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery "+
		"to_tsvector ts_headline ts_match_tq ts_match_tt websearch_to_tsquery xml xml_is_well_formed aclexplode "+
		"aclitemin aclitemout anyarray_out anyarray_send anycompatiblearray_out anycompatiblearray_send "+
		"anycompatiblemultirange_in anycompatiblemultirange_out anycompatiblerange_in anycompatiblerange_out "+
		"anyenum_out anymultirange_in anymultirange_out anyrange_in anyrange_out array_out array_send "+
		"bpcharsend brin_bloom_summary_send brin_minmax_multi_summary_send cash_in cash_out cstring_send date_in "+
		"date_out enum_in enum_out enum_send interval_in interval_out multirange_out multirange_send "+
		"namesend pg_dependencies_send pg_mcv_list_send pg_ndistinct_send pg_node_tree_send range_out "+
		"range_send record_out record_send textsend time_in timestamp_in timestamp_out timestamptz_in "+
		"timestamptz_out timetz_in varcharsend xml_in xml_send")
	add(Session, "age amvalidate array_sample array_shuffle clock_timestamp col_description current_database current_query "+
		"current_schema current_schemas current_setting current_user currval lastval enum_first enum_last enum_range "+
		"format_type gen_random_uuid get_current_ts_config getdatabaseencoding getpgusername inet_client_addr "+
		"inet_client_port inet_server_addr inet_server_port mxid_age now obj_description oidvectortypes "+
		"pg_advisory_unlock_all pg_available_extension_versions pg_available_extensions pg_backend_pid pg_basetype "+
		"pg_blocking_pids pg_char_to_encoding pg_client_encoding pg_collation_actual_version pg_collation_for "+
		"pg_column_is_updatable pg_conf_load_time pg_config pg_control_checkpoint pg_control_init pg_control_recovery "+
		"pg_control_system pg_current_snapshot pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn "+
		"pg_current_xact_id_if_assigned pg_cursor pg_database_collation_actual_version pg_database_size "+
		"pg_describe_object pg_encoding_to_char pg_event_trigger_ddl_commands pg_event_trigger_dropped_objects "+
		"pg_event_trigger_table_rewrite_oid pg_event_trigger_table_rewrite_reason pg_extension_update_paths "+
		"pg_filenode_relation pg_get_acl pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr "+
		"pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments "+
		"pg_get_function_result pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_keywords "+
		"pg_get_loaded_modules pg_get_multixact_members pg_get_object_address pg_get_partition_constraintdef "+
		"pg_get_partkeydef pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_sequence_data "+
		"pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns "+
		"pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_get_wait_events "+
		"pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_has_role pg_identify_object "+
		"pg_identify_object_as_address pg_index_column_has_property pg_index_has_property pg_indexam_has_property "+
		"pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused pg_isolation_test_session_is_blocked "+
		"pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn "+
		"pg_last_xact_replay_timestamp pg_listening_channels pg_my_temp_schema pg_notification_queue_usage "+
		"pg_numa_available pg_partition_ancestors pg_partition_root pg_partition_tree pg_postmaster_start_time "+
		"pg_prepared_statement pg_prepared_xact pg_relation_filenode pg_relation_filepath pg_relation_is_publishable "+
		"pg_relation_is_updatable pg_replication_origin_oid pg_replication_origin_progress "+
		"pg_replication_origin_session_is_setup pg_replication_origin_session_progress pg_safe_snapshot_blocking_pids "+
		"pg_sequence_last_value pg_sequence_parameters pg_settings_get_flags pg_show_all_settings pg_sleep pg_sleep_for "+
		"pg_sleep_until pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_get_snapshot_timestamp "+
		"pg_tablespace_databases pg_tablespace_location pg_tablespace_size pg_timezone_abbrevs "+
		"pg_timezone_abbrevs_abbrevs pg_timezone_abbrevs_zone pg_timezone_names pg_trigger_depth "+
		"pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status random random_normal regclass "+
		"row_security_active session_user shobj_description statement_timestamp system_user timeofday "+
		"transaction_timestamp ts_debug ts_parse ts_token_type txid_current_if_assigned txid_current_snapshot "+
		"txid_status uuidv4 uuidv7 version to_regclass to_regcollation to_regnamespace to_regoper to_regoperator "+
		"to_regproc to_regprocedure to_regrole to_regtype to_regtypemod regclassin regclassout regcollationin "+
		"regcollationout regconfigin regconfigout regdictionaryin regdictionaryout regnamespacein regnamespaceout "+
		"regoperatorin regoperatorout regoperin regoperout regprocedurein regprocedureout regprocin regprocout "+
		"regrolein regroleout regtypein regtypeout")
	add(Reads, "loread lo_get currtid2 pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_lock_status "+
		"pg_logical_slot_peek_changes pg_logical_slot_peek_binary_changes pg_mcv_list_items "+
		"pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_aios "+
		"pg_get_replication_slots pg_show_replication_origin_status pg_wal_summary_contents pg_get_wal_summarizer_state "+
		"pg_available_wal_summaries fmgr_c_validator fmgr_internal_validator fmgr_sql_validator plpgsql_validator")
	add(Runs, "pg_logical_slot_get_binary_changes pg_logical_slot_get_changes satisfies_hash_partition ts_rewrite ts_stat "+
		// These read a text into a type that an argument names, and run its checks.
		"array_in domain_in multirange_in range_in record_in pg_input_error_info pg_input_is_valid")
	add(Files, "lo_export lo_import pg_current_logfile pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings "+
		"pg_stat_file")
	add(Writes, "gin_clean_pending_list lo_close lo_creat lo_create lo_from_bytea lo_lseek lo_lseek64 lo_open lo_put lo_tell "+
		"lo_tell64 lo_truncate lo_truncate64 lo_unlink lowrite nextval pg_backup_start pg_backup_stop pg_cancel_backend "+
		"pg_current_xact_id pg_export_snapshot pg_extension_config_dump pg_import_system_collations "+
		"pg_log_backend_memory_contexts pg_log_standby_snapshot pg_logical_emit_message "+
		" pg_nextoid pg_notify pg_promote pg_reload_conf "+
		"pg_replication_slot_advance pg_rotate_logfile pg_rotate_logfile_old pg_start_backup pg_stop_backup "+
		"pg_stop_making_pinned_objects pg_switch_wal pg_sync_replication_slots pg_terminate_backend pg_wal_replay_pause "+
		"pg_wal_replay_resume set_config setseed setval txid_current")
	return m
}()

// A family is functions of pg_catalog with a common beginning and end of name.
type functionFamily struct {
	prefix, suffix string
	safety         Safety
}

// builtinFamilies classifies what builtinFunctions does not name; the first
// that fits counts.
var builtinFamilies = []functionFamily{
	{"", "_to_xml", Runs},
	{"", "_to_xmlschema", Runs},
	{"", "_to_xml_and_xmlschema", Runs},
	{"pg_advisory_", "", Writes},
	{"pg_try_advisory_", "", Writes},
	{"pg_stat_reset", "", Writes},
	{"pg_stat_get_", "", Reads},
	{"pg_stat_have_", "", Reads},
	{"pg_read_", "", Files},
	{"pg_ls_", "", Files},
	{"binary_upgrade_", "", Writes},
	{"brin_summarize_", "", Writes},
	{"brin_desummarize_", "", Writes},
	{"pg_create_", "", Writes},
	{"pg_drop_", "", Writes},
	{"pg_copy_", "", Writes},
	{"pg_replication_origin_", "", Writes},
	{"pg_restore_", "", Writes},
	{"pg_clear_", "", Writes},
	{"pg_", "_is_visible", Session},
	{"has_", "_privilege", Session},
}

// sessionWrites change the session alone: a read-only source allows them.
// set_config is judged by its setting, like SET.
var sessionWrites = map[string]bool{"set_config": true, "setseed": true}

// extensionRule classifies the functions of an extension.
type extensionRule struct {
	names    map[string]Safety // by name
	rest     bool              // the other functions in C that are not volatile are pure
	prefixes []string          // instead: those that begin like one of these
}

// named gives all words of a list one class.
func named(s Safety, words string) map[string]Safety {
	m := map[string]Safety{}
	for _, w := range strings.Fields(words) {
		m[w] = s
	}
	return m
}

// extensions holds the extensions that are known; functions of others are
// unknown. Those in SQL are listed one by one (see extensionSafety).
var extensions = map[string]extensionRule{
	"btree_gin":     {rest: true},
	"btree_gist":    {rest: true},
	"citext":        {rest: true, names: named(Pure, "regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table replace split_part strpos translate")},
	"cube":          {rest: true},
	"dict_int":      {rest: true},
	"dict_xsyn":     {rest: true},
	"earthdistance": {rest: true, names: named(Pure, "earth earth_box earth_distance gc_to_sec latitude ll_to_earth longitude sec_to_gc")},
	"fuzzystrmatch": {rest: true},
	"hstore":        {rest: true},
	"intagg":        {rest: true},
	"intarray":      {rest: true},
	"isn":           {rest: true, names: named(Writes, "isn_weak weak")},
	"ltree":         {rest: true},
	"pg_trgm":       {rest: true, names: map[string]Safety{"set_limit": Writes, "show_limit": Session}},
	"pgcrypto": {rest: true, names: named(Session, "fips_mode gen_random_bytes gen_random_uuid gen_salt pgp_pub_encrypt "+
		"pgp_pub_encrypt_bytea pgp_sym_encrypt pgp_sym_encrypt_bytea")},
	"seg":       {rest: true},
	"sslinfo":   {names: named(Session, "ssl_cipher ssl_client_cert_present ssl_client_dn ssl_client_dn_field ssl_client_serial ssl_extension_info ssl_is_used ssl_issuer_dn ssl_issuer_field ssl_version")},
	"tablefunc": {names: named(Session, "normal_rand")},
	"unaccent":  {rest: true},
	"uuid-ossp": {rest: true, names: named(Session, "uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4")},
	"vector":    {rest: true},
	"xml2": {rest: true, names: map[string]Safety{"xml_valid": Pure, "xpath_list": Pure, "xpath_nodeset": Pure,
		"xpath_table": Runs, "xslt_process": Files}},
	"postgis": {prefixes: []string{"st_", "_st_", "geometry", "geography", "box2d", "box3d", "bytea", "text", "json", "path", "point", "polygon",
		"overlaps_", "contains_2d", "is_contained_2d", "postgis_typmod_", "postgis_transform_"},
		names: named(Reads, "st_estimatedextent st_findextent _postgis_selectivity _postgis_stats _postgis_join_selectivity find_srid")},
}
