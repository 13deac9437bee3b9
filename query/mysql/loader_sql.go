package mysql

// What Load asks. Every query names its columns and its order, so that equal
// definitions give equal digests.

const sqlSession = "SET NAMES utf8mb4, sql_mode = '', autocommit = 1"

const sqlServer = "SELECT VERSION(), @@version_comment, @@lower_case_table_names, @@global.sql_mode, @@character_set_server"

// sqlComments asks by executable comments which server this is, of which
// version: what it says of itself is a setting. Its arguments are the mark of a
// comment that has a version, the version, the mark again and the next version.
const sqlComments = "SELECT 1 /*M! + 1 */, 0 /*%s%d + 1 */, 0 /*%s%d + 1 */"

const sqlDatabases = "SELECT schema_name FROM information_schema.schemata ORDER BY 1"

// The server's own databases, and all others. Where it can, the server does not
// even open what a condition on the database leaves out.
const (
	sqlOwn    = "IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
	sqlOthers = "NOT " + sqlOwn
)

const sqlTables = "SELECT table_schema, table_name, table_type, engine FROM information_schema.tables WHERE table_schema %s ORDER BY 1, 2"

const sqlColumns = "SELECT table_schema, table_name, column_name, ordinal_position, column_type, is_nullable, column_default, " +
	"character_set_name, collation_name, extra, generation_expression FROM information_schema.columns WHERE table_schema %s ORDER BY 1, 2, 4"

const sqlViews = "SELECT table_schema, table_name, view_definition, check_option, security_type, %s " +
	"FROM information_schema.views WHERE table_schema " + sqlOthers + " ORDER BY 1, 2"

const sqlTriggers = "SELECT event_object_schema, event_object_table, trigger_name, event_manipulation, action_timing, action_statement, sql_mode " +
	"FROM information_schema.triggers WHERE event_object_schema " + sqlOthers + " ORDER BY 1, 2, action_order, 3"

const sqlRoutines = "SELECT routine_schema, routine_name, routine_type, sql_data_access, is_deterministic, security_type, dtd_identifier, " +
	"routine_definition, sql_mode FROM information_schema.routines WHERE routine_schema " + sqlOthers + " ORDER BY 1, 2, 3"

const sqlParameters = "SELECT specific_schema, specific_name, routine_type, parameter_name, parameter_mode, dtd_identifier " +
	"FROM information_schema.parameters WHERE specific_schema " + sqlOthers + " AND ordinal_position > 0 ORDER BY 1, 2, 3, ordinal_position"

const sqlIndexes = "SELECT table_schema, table_name, index_name, non_unique, column_name, sub_part, %s " +
	"FROM information_schema.statistics WHERE table_schema " + sqlOthers + " ORDER BY 1, 2, 3, seq_in_index"

const sqlChecksMariaDB = "SELECT constraint_schema, table_name, check_clause FROM information_schema.check_constraints " +
	"WHERE constraint_schema " + sqlOthers + " ORDER BY 1, 2, constraint_name, 3"

const sqlChecksMySQL = "SELECT t.table_schema, t.table_name, c.check_clause FROM information_schema.check_constraints c " +
	"JOIN information_schema.table_constraints t ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name " +
	"AND t.constraint_type = 'CHECK' WHERE t.table_schema " + sqlOthers + " ORDER BY 1, 2, c.constraint_name"

const sqlForeignKeys = "SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, " +
	"k.referenced_table_name, k.referenced_column_name, r.update_rule, r.delete_rule FROM information_schema.key_column_usage k " +
	"JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema " +
	"AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name " +
	"WHERE k.table_schema " + sqlOthers + " AND k.referenced_table_name IS NOT NULL ORDER BY 1, 2, 3, k.ordinal_position"

const sqlPartitions = "SELECT DISTINCT table_schema, table_name, partition_method, partition_expression, subpartition_expression " +
	"FROM information_schema.partitions WHERE partition_name IS NOT NULL AND table_schema " + sqlOthers + " ORDER BY 1, 2, 3, 4, 5"

// Rights to see triggers: on everything, on databases (by patterns of LIKE) and
// on tables. Those that come with a role are not listed by the server.
const sqlTriggerRights = "SELECT '%', '%' FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' AND grantee = " + grantee +
	" UNION SELECT table_schema, '%' FROM information_schema.schema_privileges WHERE privilege_type = 'TRIGGER' AND grantee = " + grantee +
	" UNION SELECT REPLACE(REPLACE(table_schema, '_', '\\\\_'), '%', '\\\\%'), REPLACE(REPLACE(table_name, '_', '\\\\_'), '%', '\\\\%') " +
	"FROM information_schema.table_privileges WHERE privilege_type = 'TRIGGER' AND grantee = " + grantee + " ORDER BY 1, 2"

// grantee is the account as the tables of rights spell it.
const grantee = "CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), " +
	"'''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
