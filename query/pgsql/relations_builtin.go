package pgsql

import (
	"regexp"
	"strings"
)

// CatalogRelation says whether a relation of the server's own schemas can hold
// protected values, what other sessions do, or credentials, and why. One that
// is not known is sensitive. A relation that is not may still have sensitive
// columns: see CatalogColumn.
//
// Row counts of tables are not protected, but statistics are sensitive all the
// same: counters tell how many rows a condition met, sizes tell how long
// values are, and the row count of a partition tells of its key.
func CatalogRelation(schema, name string) (sensitive bool, why string) {
	switch {
	case schema == "information_schema":
		why = sensitiveInformationSchema[name]
		return why != "", why
	case strings.HasPrefix(schema, "pg_toast"):
		return true, "it holds long values of a table"
	case schema != "pg_catalog":
		return false, ""
	case harmlessRelations[name]:
		return false, ""
	}
	if why, ok := sensitiveRelations[name]; ok {
		return true, why
	}
	if counted.MatchString(name) {
		return false, ""
	}
	for _, p := range []string{"pg_stat_", "pg_statio_"} {
		if strings.HasPrefix(name, p) {
			return true, "its counters tell how many rows were met"
		}
	}
	return true, "it is not a known catalog"
}

// CatalogColumn is CatalogRelation for one column: true for every column of a
// sensitive relation and for the sensitive ones of others.
func CatalogColumn(schema, relation, column string) (sensitive bool, why string) {
	if sensitive, why = CatalogRelation(schema, relation); sensitive {
		return sensitive, why
	}
	if schema == "pg_catalog" {
		why = sensitiveCatalogColumns[relation+"."+column]
		if counted.MatchString(relation) && !countedNames[column] {
			why = "it tells how many rows were met"
		}
	}
	return why != "", why
}

// counted relations have a row of counters for each table, index or sequence
// that there is. countedNames are their columns that say which one it is.
var (
	counted      = regexp.MustCompile(`^pg_stat(io)?_(all|sys|user)_(tables|indexes|sequences)$`)
	countedNames = map[string]bool{"relid": true, "indexrelid": true, "schemaname": true, "relname": true, "indexrelname": true}
)

const (
	holdsCredentials = "it holds credentials"
	holdsValues      = "it holds values of tables"
	holdsFiles       = "it shows files of the server"
	holdsSizes       = "it tells how large values or partitions are"
	holdsPlaces      = "it tells where rows lie, and so how long values are"
)

// sensitiveRelations of pg_catalog; all pg_stat_* and pg_statio_* that are not
// harmless are sensitive too.
var sensitiveRelations = map[string]string{
	"pg_aios":                    "it shows what other sessions read",
	"pg_authid":                  holdsCredentials,
	"pg_backend_memory_contexts": "it tells how much memory values took",
	"pg_file_settings":           holdsFiles,
	"pg_hba_file_rules":          holdsFiles,
	"pg_ident_file_mappings":     holdsFiles,
	"pg_largeobject":             "it holds large objects",
	"pg_shadow":                  holdsCredentials,
	"pg_shmem_allocations":       "it tells of the memory of the server",
	"pg_shmem_allocations_numa":  "it tells of the memory of the server",
	"pg_stat_replication":        "it shows other sessions",
	"pg_stat_subscription":       "it shows other sessions",
	"pg_stat_wal_receiver":       holdsCredentials,
	"pg_statistic":               holdsValues,
	"pg_statistic_ext_data":      holdsValues,
	"pg_stats":                   holdsValues,
	"pg_stats_ext":               holdsValues,
	"pg_stats_ext_exprs":         holdsValues,
	"pg_user_mapping":            holdsCredentials,
}

// sensitiveCatalogColumns of harmless relations, as relation.column.
var sensitiveCatalogColumns = map[string]string{
	"pg_class.relallfrozen":       holdsSizes,
	"pg_class.relallvisible":      holdsSizes,
	"pg_class.relpages":           holdsSizes,
	"pg_class.reltuples":          holdsSizes,
	"pg_locks.classid":            "it shows keys of advisory locks",
	"pg_locks.objid":              "it shows keys of advisory locks",
	"pg_locks.objsubid":           "it shows keys of advisory locks",
	"pg_locks.page":               holdsPlaces,
	"pg_locks.tuple":              holdsPlaces,
	"pg_stat_activity.query":      "it shows statements of other sessions",
	"pg_subscription.subconninfo": holdsCredentials,
	"pg_user_mappings.umoptions":  holdsCredentials,
}

// sensitiveInformationSchema relations; the others show definitions.
var sensitiveInformationSchema = map[string]string{
	"_pg_user_mappings":    holdsCredentials,
	"user_mapping_options": holdsCredentials,
}

// harmlessRelations of pg_catalog hold definitions, the session's own state,
// or figures of the server as a whole.
var harmlessRelations = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(
		"pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions " +
			"pg_available_extensions pg_cast pg_class pg_collation pg_config pg_constraint pg_conversion pg_cursors " +
			"pg_database pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension " +
			"pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_group pg_index pg_indexes pg_inherits " +
			"pg_init_privs pg_language pg_largeobject_metadata pg_locks pg_matviews pg_namespace pg_opclass pg_operator " +
			"pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_prepared_statements " +
			"pg_prepared_xacts pg_proc pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables " +
			"pg_range pg_replication_origin pg_replication_origin_status pg_replication_slots pg_rewrite pg_roles pg_rules " +
			"pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shdepend pg_shdescription pg_shseclabel " +
			"pg_stat_activity pg_stat_archiver pg_stat_bgwriter pg_stat_checkpointer pg_stat_database_conflicts " +
			"pg_stat_gssapi pg_stat_io pg_stat_recovery_prefetch pg_stat_slru pg_stat_ssl pg_stat_wal pg_statistic_ext " +
			"pg_subscription pg_subscription_rel pg_tables pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform " +
			"pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user pg_user_mappings pg_views " +
			"pg_wait_events") {
		m[w] = true
	}
	return m
}()
