package mysql

// systemRelation says what of a relation of the server itself must not be shown.
func (r *run) systemRelation(it *rangeItem, pos int) {
	rel := it.relation
	name := lowerASCII(rel.Schema) + "." + lowerASCII(rel.Name)
	hidden, ok := systemRelations[name]
	if !ok {
		r.gap(pos, "relation "+rel.Schema+"."+rel.Name+" cannot be shown: it tells of data, statistics or other sessions")
		return
	}
	if name == "information_schema.files" && r.cat.Server.MariaDB { // it is empty there
		hidden = nil
	}
	tells, pinned := r.tells(name)
	for i := range it.cols {
		if hidden[it.cols[i].key] && pinned {
			it.cols[i].value.deps = mergeDeps(it.cols[i].value.deps, tells)
			continue
		}
		if hidden[it.cols[i].key] {
			it.cols[i].value.gaps = []pendingGap{{"column " + rel.Schema + "." + rel.Name + "." + it.cols[i].name +
				" cannot be shown: it tells of data or other sessions"}}
		}
	}
}

// systemRelations are those that tell of definitions, rights and settings, with
// the columns that tell more: sizes and counts go by what the rows hold.
var systemRelations = func() map[string]map[string]bool {
	m := map[string]map[string]bool{}
	add := func(schema, names, hidden string) {
		for w := range words(names) {
			m[schema+"."+w] = words(hidden)
		}
	}
	add("information_schema", "all_plugins applicable_roles character_sets check_constraints client_statistics_ collation_character_set_applicability "+
		"collations column_privileges columns columns_extensions enabled_roles engines events geometry_columns keywords key_caches_ "+
		"key_column_usage optimizer_costs parameters plugins referential_constraints routines schema_privileges schemata "+
		"schemata_extensions sequences session_variables global_variables spatial_ref_sys sql_functions st_geometry_columns "+
		"st_spatial_reference_systems st_units_of_measure system_variables table_constraints table_constraints_extensions "+
		"table_privileges tables_extensions tablespaces_extensions triggers user_attributes user_privileges view_routine_usage "+
		"view_table_usage views role_column_grants role_routine_grants role_table_grants administrable_role_authorizations "+
		"resource_groups", "")
	add("information_schema", "tables", "table_rows avg_row_length data_length max_data_length index_length data_free auto_increment "+
		"create_time update_time check_time checksum max_index_length temporary")
	add("information_schema", "statistics", "cardinality")
	add("information_schema", "files", "file_id tablespace_name file_name total_extents free_extents extent_size initial_size maximum_size "+
		"autoextend_size data_free extra version row_format table_rows avg_row_length data_length max_data_length index_length create_time "+
		"update_time check_time checksum last_update_time last_access_time creation_time update_count deleted_rows transaction_counter")
	add("mysql", "user", "password authentication_string password_last_changed password_reuse_history")
	add("mysql", "proc event", "body body_utf8 last_executed")
	add("mysql", "db tables_priv columns_priv procs_priv roles_mapping proxies_priv func role_edges default_roles", "")
	add("information_schema", "partitions", "table_rows avg_row_length data_length max_data_length index_length data_free create_time "+
		"update_time check_time checksum")
	add("mysql", "help_category help_keyword help_relation help_topic time_zone time_zone_leap_second time_zone_name "+
		"time_zone_transition time_zone_transition_type plugin engine_cost server_cost", "")
	add("performance_schema", "session_variables global_variables persisted_variables variables_info keyword_component_status", "")
	return m
}()
