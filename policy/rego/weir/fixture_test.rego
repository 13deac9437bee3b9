package weir_test

# Small policies for the tests, in the form in which weir loads them.

# replaced is base with the fields of changes in place of its own.
replaced(base, changes) := object.union(object.remove(base, object.keys(changes)), changes)

nobody := {"principals": {}, "sources": {}}

everyone := {"principals": {"everyone": true}, "sources": {}}

group(g) := {"principals": {sprintf("group:%s", [g]): true}, "sources": {}}

everywhere := {"everywhere": true, "projects": {}, "datasources": {}, "environments": {}, "databases": {}}

target(restriction) := object.union(object.union(everywhere, {"everywhere": false}), restriction)

no_names := {"all": false, "exact": {}, "schemas": {}, "patterns": []}

all_names := replaced(no_names, {"all": true})

tables(schema, name) := object.union(no_names, {"exact": {schema: {name: true}}})

# grant is for analysts to read everything, changed by g.
grant(g) := replaced(
	{
		"name": "g", "principal": "group:analysts", "sources": {}, "target": everywhere, "classes": {"read": true},
		"everything": count(object.keys(g) & {"tables", "except_tables"}) == 0,
		"tables": all_names, "except_tables": no_names, "functions": all_names,
		"unmasked": {}, "unmasked_all": false,
		"unmasks": count(object.keys(g) & {"unmasked", "unmasked_all"}) > 0,
		"unrestricted": false, "mode": "enforce", "require": [],
		"limits": {"rows": 0, "seconds": 0}, "audit_rank": 1, "source": "test:1",
	},
	g,
)

mask(m) := replaced(
	{
		"who": everyone, "target": everywhere, "function": "redact", "args": {}, "elsewhere": "refuse", "rank": 1,
		"unmasked": nobody, "source": "test:2",
	},
	m,
)

filter(f) := replaced(
	{"tables": tables("public", "users"), "who": everyone, "except": nobody, "target": everywhere, "expression": "true", "source": "test:3"},
	f,
)

# config is a policy of grants, changed by parts.
config(grants, parts) := replaced(
	{
		"projects": {}, "grants": grants,
		"grant_index": {"*": {g.principal: [i | some i, other in grants; other.principal == g.principal] | some g in grants}},
		"masks": {}, "row_filters": [], "row_filter_index": {}, "row_filter_patterns": [], "read_only": [],
		"defaults": {"mode": "enforce", "audit_rank": 1},
		"strictness": {"null": 0, "redact": 1, "hash": 3, "email": 13, "partial": 14},
	},
	parts,
)

# statement is ana, an analyst, reading public.users(id, email).
statement(changes) := object.union(
	{
		"version": 1, "phase": "statement", "time": "2026-01-02T15:04:05Z",
		"user": {
			"id": "local|1", "name": "ana", "source": "local", "groups": ["analysts"],
			"roles": {"global": "member", "project": "viewer"},
			"auth": {"method": "scram", "mfa": false, "age_seconds": 1},
		},
		"session": {"id": "s", "client_address": "10.1.2.3", "application": "psql", "tls": false, "grant": null},
		"target": {
			"project": "sales", "datasource": "shop", "engine": "postgresql",
			"environment": "production", "database": "shop", "read_only": false,
		},
		"statement": {
			"class": "read", "verbs": ["SELECT"], "complete": true, "fingerprint": "f",
			"tables": [users(["select"])], "functions": [],
		},
	},
	changes,
)

connect := object.union(statement({"phase": "connect"}), {"statement": null})

users(access) := {
	"schema": "public", "name": "users", "kind": "table", "access": access,
	"columns": [
		{"name": "id", "tags": [], "uses": ["output"]},
		{"name": "email", "tags": ["pii.email"], "uses": ["output"]},
	],
}

table(schema, name, access) := {"schema": schema, "name": name, "kind": "table", "access": access, "columns": []}

rules(decision) := {r.rule | some r in decision.reasons}

messages(decision) := {r.message | some r in decision.reasons}
