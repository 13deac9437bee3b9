package pgsql

import "strings"

// The texts below name every operator that they use in a spelling that
// qualify can rewrite, and avoid IN, simple CASE and USING, which look their
// operator up through search_path.

// qualify makes a text safe under any search_path: operators come from
// pg_catalog. Names of relations, functions and types are written qualified.
func qualify(sql string) string {
	return strings.NewReplacer(
		" = ", " OPERATOR(pg_catalog.=) ",
		" <> ", " OPERATOR(pg_catalog.<>) ",
		" > ", " OPERATOR(pg_catalog.>) ",
		" !~ ", " OPERATOR(pg_catalog.!~) ",
		" || ", " OPERATOR(pg_catalog.||) ",
	).Replace(sql)
}

// loadBegin opens the snapshot that all parts are read in. lock_timeout bounds
// the wait of the deparse functions, which lock what they print.
const loadBegin = `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL search_path = '';
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_encoding = 'UTF8';
SET LOCAL jit = off;
SET LOCAL quote_all_identifiers = off;
SET LOCAL standard_conforming_strings = on`

// Namespaces of temporary objects, those of every session.
const notTemp = ` !~ '^pg_(toast_)?temp_'`

const sqlServer = `SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_database()`

const sqlSchemas = `SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname` + notTemp + ` ORDER BY n.oid`

const sqlExtensions = `SELECT e.extname, e.extversion FROM pg_catalog.pg_extension e ORDER BY e.extname`

// sqlLocked lists relations that a running transaction holds or awaits in
// exclusive mode: printing definitions that mention them would wait for it.
const sqlLocked = `SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`

// extensionOf is the name of the extension that an object belongs to.
func extensionOf(class, oid string) string {
	return `(SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.classid = 'pg_catalog.` + class + `'::pg_catalog.regclass AND d.objid = ` + oid + ` AND d.objsubid = 0
  AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)`
}

// Columns: oid, schema, name, kind, row type, owner, rules, triggers, row
// security, extension, attributes of the partition key, of the primary key,
// security barrier.
func sqlRelations(where string) string {
	return `SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltype, pg_catalog.pg_get_userbyid(c.relowner),
  EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
  c.relrowsecurity, ` + extensionOf("pg_class", "c.oid") + `,
  (SELECT k.partattrs::pg_catalog.text FROM pg_catalog.pg_partitioned_table k WHERE k.partrelid = c.oid),
  (SELECT pg_catalog.array_to_string(k.conkey, ' ') FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype = 'p' AND NOT k.condeferrable),
  EXISTS (SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) o
    WHERE o.option_name = 'security_barrier' AND o.option_value::pg_catalog.bool)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 'i' AND c.relkind <> 'I' AND ` + where + ` ORDER BY c.oid`
}

// Columns: relation, attribute number, name, type, typmod, not null,
// generated, default, type as SQL, collation, has a value for older rows.
func sqlColumns(where string) string {
	return `SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated <> '',
  pg_catalog.pg_get_expr(d.adbin, d.adrelid),
  CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
    ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
  (SELECT pg_catalog.concat(pg_catalog.quote_ident(cn.nspname), '.', pg_catalog.quote_ident(co.collname))
    FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
    WHERE co.oid = a.attcollation AND co.oid <> 100 AND a.atttypid <> 19), a.atthasmissing
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'i' AND c.relkind <> 'I' AND ` + where + `
ORDER BY a.attrelid, a.attnum`
}

// Parts that print expressions leave out what is locked (see sqlLocked); %s
// is an array literal of relation OIDs.
const unlocked = ` AND NOT c.oid = ANY ('%s'::pg_catalog.oid[])`

const sqlViews = `SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'v' OR c.relkind = 'm') AND n.nspname` + notTemp + `
  AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'` + unlocked + `
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    WHERE r.ev_class = c.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid = ANY ('%s'::pg_catalog.oid[])) ORDER BY c.oid`

// Conditions whose failure or use can show values, by relation. Each part
// leaves out what is locked itself, before it prints anything.
var sqlConditions = func() string {
	part := func(rel, def, from string) string {
		return `SELECT ` + rel + ` AS rel, ` + def + ` AS def FROM pg_catalog.` + from +
			` AND NOT ` + rel + ` = ANY ('%[1]s'::pg_catalog.oid[])`
	}
	return `SELECT x.rel, x.def FROM (` + strings.Join([]string{
		part("k.conrelid", "pg_catalog.pg_get_constraintdef(k.oid)", "pg_constraint k WHERE (k.contype = 'c' OR k.contype = 'x' OR k.contype = 'f') AND k.conrelid <> 0"),
		part("i.indrelid", "pg_catalog.pg_get_expr(i.indpred, i.indrelid)", "pg_index i WHERE i.indpred IS NOT NULL"),
		part("i.indrelid", "pg_catalog.pg_get_expr(i.indexprs, i.indrelid)", "pg_index i WHERE i.indexprs IS NOT NULL"),
		part("p.polrelid", "pg_catalog.pg_get_expr(p.polqual, p.polrelid)", "pg_policy p WHERE p.polqual IS NOT NULL"),
		part("p.polrelid", "pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)", "pg_policy p WHERE p.polwithcheck IS NOT NULL"),
	}, "\nUNION ALL ") + `) x JOIN pg_catalog.pg_class c ON c.oid = x.rel WHERE c.relpersistence <> 't' ORDER BY x.rel, x.def COLLATE "C"`
}()

const sqlInherits = `SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i ORDER BY i.inhrelid, i.inhseqno`

// Columns: oid, schema, name, kind, element, base, base typmod, relation,
// extension.
func sqlTypes(where string) string {
	return `SELECT t.oid, n.nspname, t.typname, t.typtype,
  CASE WHEN t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc THEN t.typelem END,
  t.typbasetype, t.typtypmod, t.typrelid, ` + extensionOf("pg_type", "t.oid") + `
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname` + notTemp + where + ` ORDER BY t.oid`
}

const sqlLabels = `SELECT e.enumtypid, e.enumlabel FROM pg_catalog.pg_enum e ORDER BY e.enumtypid, e.enumsortorder`

const sqlDomainChecks = `SELECT k.contypid, pg_catalog.pg_get_constraintdef(k.oid)
FROM pg_catalog.pg_constraint k WHERE k.contypid <> 0 AND k.contype = 'c' ORDER BY k.contypid, k.oid`

// Columns: oid, schema, name, kind, volatility, language, arguments, variadic,
// defaults, result, returns set, names, modes, all arguments, body, definer,
// settings, extension, leakproof. A body that is too long to follow is left out.
// A body that is kept parsed mentions relations, so it must not be locked either.
func sqlFunctions(locked, where string) string {
	return `SELECT p.oid, n.nspname, p.proname, p.prokind, p.provolatile, l.lanname, p.proargtypes,
  p.provariadic <> 0, p.pronargdefaults, p.prorettype, p.proretset,
  pg_catalog.to_json(p.proargnames), p.proargmodes, p.proallargtypes,
  CASE WHEN l.lanname = 'sql' AND NOT n.nspname = 'pg_catalog' AND NOT pg_catalog.length(p.prosrc) > 1000000
      AND NOT (p.prosqlbody IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = ANY ('` + locked + `'::pg_catalog.oid[])))
    THEN COALESCE(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) END,
  p.prosecdef, pg_catalog.to_json(p.proconfig), ` + extensionOf("pg_proc", "p.oid") + `, p.proleakproof
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname` + notTemp + where + ` ORDER BY p.oid`
}

func sqlOperators(where string) string {
	return `SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprresult, o.oprcode::pg_catalog.oid, ` +
		extensionOf("pg_operator", "o.oid") + `
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
WHERE n.nspname` + notTemp + where + ` ORDER BY o.oid`
}

// Casts that the server did not bring: OIDs from FirstNormalObjectId on.
var sqlCasts = `SELECT c.castsource, c.casttarget, c.castfunc, ` + extensionOf("pg_cast", "c.oid") + `
FROM pg_catalog.pg_cast c WHERE c.oid::pg_catalog.int8 > 16383 ORDER BY c.oid`

// sqlSnapshot changes whenever any transaction with an identifier ends.
const sqlSnapshot = `SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text`

// sqlSignature changes with every committed change of a definition: each row
// counts with its identity and the transaction that wrote it. Temporary
// relations are left out where they would make most of the changes.
var sqlSignature = func() string {
	sum := func(from, id string) string {
		return `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hash_record_extended(ROW(` + id + `, x.xmin), 0))) FROM pg_catalog.` + from + `)`
	}
	notOf := func(col string) string { return ` x WHERE NOT EXISTS (SELECT FROM t WHERE t.oid = ` + col + `)` }
	return `WITH t AS MATERIALIZED (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relpersistence = 't'),
  s AS MATERIALIZED (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE NOT n.nspname` + notTemp + `)
SELECT pg_catalog.concat_ws(' ', ` + strings.Join([]string{
		sum(`pg_namespace x WHERE x.nspname`+notTemp, "x.oid"),
		sum(`pg_class x WHERE x.relpersistence <> 't'`, "x.oid"),
		sum("pg_attribute"+notOf("x.attrelid"), "x.attrelid, x.attnum"),
		sum("pg_attrdef"+notOf("x.adrelid"), "x.oid"),
		sum("pg_type x WHERE NOT EXISTS (SELECT FROM s WHERE s.oid = x.typnamespace)", "x.oid"),
		sum("pg_enum x", "x.oid"),
		sum("pg_proc x", "x.oid"),
		sum("pg_operator x", "x.oid"),
		sum("pg_cast x", "x.oid"),
		sum("pg_rewrite x", "x.oid"),
		sum("pg_constraint"+notOf("x.conrelid"), "x.oid"),
		sum("pg_trigger"+notOf("x.tgrelid"), "x.oid"),
		sum("pg_inherits"+notOf("x.inhrelid"), "x.inhrelid, x.inhparent"),
		sum("pg_policy x", "x.oid"),
		sum("pg_index"+notOf("x.indrelid"), "x.indexrelid"),
		sum("pg_extension x", "x.oid"),
		sum("pg_language x", "x.oid"),
		sum("pg_event_trigger x", "x.oid"),
		sum("pg_depend x WHERE x.deptype = 'e'", "x.classid, x.objid"),
	}, ",\n") + `)`
}()
