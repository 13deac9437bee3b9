package mysql

import (
	"strconv"
	"strings"

	"github.com/weirdb/weir/query"
)

// assignment is one item of SET: its setting and the tokens of its value.
type assignment struct {
	Setting
	start    int // first token of the item
	from, to int // of the value; none where from is to
	constant bool
}

// set analyses SET.
func (r *run) set(at int) {
	t := r.text
	switch {
	case t.word(at+1) == "password", t.words(at+1, "default", "role"):
		r.rights(at, t.phrase(at, 2))
	case t.word(at+1) == "role":
		r.class(query.ClassSession, "SET ROLE")
		r.stmt.Kind, r.stmt.Changes = KindSet, ChangeRole
	case t.word(at+1) == "statement":
		r.setStatement(at)
	case t.words(at+1, "resource", "group"):
		r.class(query.ClassAdmin, "SET RESOURCE GROUP")
		r.write("set resource group", "", -1)
		r.gap(-1, "SET RESOURCE GROUP is not known")
	case t.word(at+1) == "transaction" || t.word(at+2) == "transaction" && scopeWord(t.word(at+1)):
		r.setTransaction(at)
	default:
		r.class(query.ClassSession, "SET")
		r.stmt.Kind = KindSet
		list := r.assignments(at+1, r.end())
		if list == nil {
			r.unread(syntaxError("the assignments of SET cannot be read", -1))
			return
		}
		r.assignAll(at, r.end(), list)
	}
}

func scopeWord(w string) bool {
	switch w {
	case "global", "session", "local", "persist", "persist_only":
		return true
	}
	return false
}

func globalScope(w string) bool { return w == "global" || strings.HasPrefix(w, "persist") }

// setTransaction is SET [SESSION] TRANSACTION.
func (r *run) setTransaction(at int) {
	t := r.text
	r.class(query.ClassTransaction, "SET TRANSACTION")
	r.stmt.Kind, r.stmt.Changes = KindSet, ChangeSettings
	scope := t.word(at + 1)
	if globalScope(scope) {
		r.setGlobal("transaction", -1)
	}
	for i := at + 1; i < r.end(); i++ {
		if t.word(i) != "read" {
			continue
		}
		switch t.word(i + 1) {
		case "write":
			r.write("set", "transaction_read_only", -1)
			fallthrough
		case "only":
			value := map[string]string{"only": "ON", "write": "OFF"}[t.word(i+1)]
			r.stmt.Settings = append(r.stmt.Settings, Setting{Name: "transaction_read_only", Value: value, Known: true,
				Once: scope == "transaction", Global: globalScope(scope)})
		}
	}
}

func (r *run) setGlobal(name string, pos int) {
	r.stmt.Class = query.ClassAdmin
	r.write("set global", name, pos)
	r.gap(pos, "global settings change what other sessions do")
}

// setStatement is MariaDB's SET STATEMENT … FOR statement.
func (r *run) setStatement(at int) {
	t := r.text
	depth, end := 0, -1
	for i := at + 2; i < r.end() && end < 0; i++ {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth == 0 && t.word(i) == "for":
			end = i
		}
	}
	var list []assignment
	if end > 0 {
		list = r.assignments(at+2, end)
	}
	if list == nil || end+1 >= r.end() {
		r.unread(syntaxError("SET STATEMENT cannot be read", -1))
		return
	}
	outer := r.stmt.Settings
	r.assignAll(at, end, list)
	for i := range list {
		if strings.HasPrefix(list[i].Name, "session_track") { // the one inside may set what is then not reported
			r.gap(-1, "the statement sets "+list[i].Name+" for itself")
		}
		switch list[i].Name {
		case "sql_mode", "character_set_client", "character_set_connection", "collation_connection":
			r.gap(-1, "the statement sets "+list[i].Name+" for itself")
		}
	}
	// They hold for the statement alone.
	r.stmt.Settings, r.stmt.Changes = outer, r.stmt.Changes&^ChangeSettings
	r.stmt.Inner = t.slice(end+1, r.end())
	r.command(end + 1)
	r.stmt.Verbs = append([]string{"SET STATEMENT"}, r.stmt.Verbs...)
}

// assignments cuts the items of SET; nil if one cannot be read.
func (r *run) assignments(from, to int) []assignment {
	t := r.text
	var out []assignment
	scope := ""
	for i := from; i < to; {
		end, depth := i, 0
		for ; end < to && (depth > 0 || !t.is(end, ",")); end++ {
			if t.is(end, "(") {
				depth++
			} else if t.is(end, ")") {
				depth--
			}
		}
		items, ok := r.assignment(i, end, &scope)
		if !ok {
			return nil
		}
		out = append(out, items...)
		i = end + 1
	}
	return out
}

// assignment reads one item. A scope holds for the items without one that
// follow on some servers.
func (r *run) assignment(from, to int, scope *string) ([]assignment, bool) {
	t, i := r.text, from
	if i >= to {
		return nil, false
	}
	if items, ok := r.setNames(from, to); ok {
		return items, true
	}
	a := assignment{start: from}
	switch kind := t.tokens[i].kind; {
	case kind == tokenUser:
		name, _ := t.variable(i)
		a.Name = "@" + name
		i++
	case kind == tokenSystem:
		s, name := systemName(t.raw(i))
		if s != "" {
			*scope = s
		}
		a.Name = name
		i++
	default:
		if scopeWord(t.word(i)) && i+1 < to && !t.is(i+1, "=") && !t.is(i+1, ":=") {
			*scope = t.word(i)
			i++
		}
		name, ok := t.name(i)
		if !ok {
			return nil, false
		}
		a.Name = lowerASCII(name)
		for i++; t.is(i, ".") && i+1 < to; i += 2 {
			part, ok := t.name(i + 1)
			if !ok {
				return nil, false
			}
			a.Name += "." + lowerASCII(part)
		}
	}
	a.Global = globalScope(*scope) && !strings.HasPrefix(a.Name, "@")
	if i+1 >= to || !t.is(i, "=") && !t.is(i, ":=") {
		return nil, false
	}
	a.from, a.to = i+1, to
	r.constant(&a)
	return []assignment{a}, true
}

// systemName is the scope and name of a system variable's token.
func systemName(raw string) (scope, name string) {
	name = lowerASCII(strings.ReplaceAll(strings.TrimPrefix(raw, "@@"), "`", ""))
	if s, rest, ok := strings.Cut(name, "."); ok && scopeWord(s) {
		return s, rest
	}
	return "", name
}

// constant fills the value in if it is one.
func (r *run) constant(a *assignment) {
	t := r.text
	if a.to-a.from == 2 && (t.is(a.from, "-") || t.is(a.from, "+")) && t.tokens[a.from+1].kind == tokenNumber {
		a.Value, a.Known = strings.TrimPrefix(t.raw(a.from)+t.raw(a.from+1), "+"), true
	}
	if a.to-a.from != 1 {
		return
	}
	switch t.tokens[a.from].kind {
	case tokenString:
		a.Value, a.Known = t.str(a.from)
	case tokenNumber:
		a.Value, a.Known = t.raw(a.from), true
	case tokenNull:
		a.Null, a.Known = true, true
	case tokenQuoted, tokenWord:
		switch word := t.word(a.from); {
		case word == "default":
			a.Default = true
		case word == "null":
			a.Null, a.Known = true, true
		case strings.HasPrefix(a.Name, "@"): // not a constant there but for these
			if word == "true" || word == "false" {
				a.Value, a.Known = map[string]string{"true": "1", "false": "0"}[word], true
			}
			return
		default:
			a.Value, _ = t.name(a.from)
			a.Known = true
		}
		a.constant = true
	}
}

// setNames reads NAMES and CHARACTER SET.
func (r *run) setNames(from, to int) ([]assignment, bool) {
	t, i, names := r.text, from+1, false
	switch {
	case t.word(from) == "names" && !t.is(i, "="):
		names = true
	case t.word(from) == "charset" && !t.is(i, "="):
	case t.words(from, "character", "set"), t.words(from, "char", "set"):
		i++
	default:
		return nil, false
	}
	if i >= to {
		return nil, false
	}
	value := assignment{start: from, from: i, to: i + 1}
	value.Name = "character_set_client"
	r.constant(&value)
	if i+1 < to && (!names || t.word(i+1) != "collate" || i+3 < to) {
		return nil, false
	}
	value.from, value.to, value.constant = from, from, true
	if value.Value = lowerASCII(value.Value); value.Default || value.Null {
		value.Known = false
	}
	results, connection := value, value
	results.Name, connection.Name = "character_set_results", "character_set_connection"
	if !names {
		connection.Known = false // that of the database
	}
	return []assignment{value, results, connection}, true
}

// assignAll analyses the values of assignments between tokens, and notes them.
func (r *run) assignAll(at, end int, list []assignment) {
	var edits []edit
	var valued []int
	done := at
	for i := range list {
		a := &list[i]
		if a.constant || a.from == a.to {
			continue
		}
		lead := "SELECT"
		if len(valued) > 0 {
			lead = ","
		}
		edits = append(edits, edit{done, a.from, lead})
		done = a.to
		valued = append(valued, i)
	}
	if len(valued) > 0 {
		if done < end {
			edits = append(edits, edit{done, end, ""})
		}
		values := r.expressions(at, end, edits)
		if len(values) != len(valued) {
			if values != nil {
				r.unread(syntaxError("the values of SET cannot be read", -1))
			}
			return
		}
		for j, e := range values {
			a := &list[valued[j]]
			r.stores(r.expr(e, &scope{}), "set", a.Name, e.OriginTextPosition())
		}
	}
	if r.stmt.Changes&ChangeVariables != 0 { // by := in a value
		r.stmt.forgets = true
	}
	for i := range list {
		r.setting(&list[i])
	}
}

// setting notes one assignment.
func (r *run) setting(a *assignment) {
	r.stmt.Settings = append(r.stmt.Settings, a.Setting)
	if strings.HasPrefix(a.Name, "@") {
		r.stmt.Changes |= ChangeVariables
		return
	}
	r.stmt.Changes |= ChangeSettings
	if a.Global {
		r.setGlobal(a.Name, -1)
		return
	}
	switch a.Name {
	case "character_set_client", "character_set_results", "character_set_connection", "collation_connection":
		r.setCharset(a)
	case "tx_read_only", "transaction_read_only":
		if !a.on() {
			r.write("set", "transaction_read_only", -1)
		}
	case "sql_log_bin", "insert_id", "sql_log_off", "skip_replication", "gtid_seq_no", "gtid_domain_id", "server_id", "gtid_next":
		r.write("set", a.Name, -1)
		if a.Name != "insert_id" {
			r.gap(-1, "setting "+a.Name+" changes what is recorded")
		}
	case "default_storage_engine", "storage_engine", "default_tmp_storage_engine":
		if !a.Default && (!a.Known || !ownEngines[lowerASCII(a.Value)]) {
			r.gap(-1, "tables of this engine may show others")
		}
	case "max_sort_length": // below it, keys tell rows apart for certain
		if n, err := strconv.Atoi(a.Value); !a.Default && (!a.Known || err != nil || n < 1024) {
			r.gap(-1, "sorting by less than 1024 bytes mixes rows")
		}
	case "profiling":
		if !a.Known || a.on() || a.Value != "0" && !strings.EqualFold(a.Value, "off") {
			r.gap(-1, "profiling tells how statements ran")
		}
	case "password":
		r.write("set password", "", -1)
		r.gap(-1, "SET PASSWORD among other assignments is not known")
	case "sql_mode":
		if a.Known && ParseSQLMode(a.Value)&ModeForeign != 0 {
			r.gap(-1, "statements under sql_mode "+a.Value+" cannot be read")
		}
	default:
		if !harmlessSettings[a.Name] {
			r.gap(-1, "setting "+a.Name+" is not known to be harmless")
		}
	}
}

func (r *run) setCharset(a *assignment) {
	if a.Name == "character_set_client" && a.Known && !a.Null && !ReadableCharset(lowerASCII(a.Value)) {
		r.gap(-1, "texts in character set "+a.Value+" cannot be read")
	}
}

// on reports a constant that switches something on.
func (s *Setting) on() bool {
	switch strings.ToLower(s.Value) {
	case "on", "1", "true":
		return s.Known && !s.Null
	}
	return false
}

// harmlessSettings are session variables that change neither the meaning of a
// text nor what a result may show beyond the rows and order that it has anyway.
var harmlessSettings = func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields("autocommit sql_safe_updates sql_select_limit sql_auto_is_null sql_big_selects max_join_size " +
		"sql_notes sql_warnings sql_quote_show_create sql_buffer_result sql_low_priority_updates low_priority_updates " +
		"net_read_timeout net_write_timeout net_retry_count net_buffer_length wait_timeout interactive_timeout lock_wait_timeout " +
		"innodb_lock_wait_timeout max_statement_time max_execution_time idle_transaction_timeout idle_readonly_transaction_timeout " +
		"idle_write_transaction_timeout max_allowed_packet group_concat_max_len div_precision_increment default_week_format " +
		"foreign_key_checks unique_checks check_constraint_checks tx_isolation transaction_isolation completion_type " +
		"time_zone timestamp lc_time_names lc_messages collation_server character_set_server collation_database character_set_database " +
		"default_collation_for_utf8mb4 character_set_collations " +
		"rand_seed1 rand_seed2 last_insert_id identity auto_increment_increment auto_increment_offset pseudo_thread_id " +
		"sort_buffer_size join_buffer_size read_buffer_size read_rnd_buffer_size tmp_table_size max_heap_table_size tmp_memory_table_size " +
		"bulk_insert_buffer_size preload_buffer_size myisam_sort_buffer_size range_alloc_block_size query_alloc_block_size " +
		"query_prealloc_size transaction_alloc_block_size transaction_prealloc_size max_length_for_sort_data " +
		"optimizer_switch optimizer_search_depth optimizer_prune_level optimizer_use_condition_selectivity eq_range_index_dive_limit " +
		"max_seeks_for_key join_cache_level query_cache_type " +
		"sql_auto_is_null updatable_views_with_limit max_recursive_iterations cte_max_recursion_depth max_error_count " +
		"system_versioning_asof session_track_schema session_track_system_variables session_track_state_change " +
		"session_track_transaction_info session_track_gtids explicit_defaults_for_timestamp new old_alter_table alter_algorithm " +
		"max_sp_recursion_depth in_predicate_conversion_threshold sql_if_exists column_compression_threshold " +
		"windowing_use_high_precision innodb_strict_mode innodb_table_locks default_regex_flags long_query_time big_tables " +
		"information_schema_stats_expiry internal_tmp_mem_storage_engine sql_require_primary_key " +
		"sql_generate_invisible_primary_key show_create_table_verbosity print_identified_with_as_hex net_compression_algorithms") {
		m[name] = true
	}
	return m
}()
