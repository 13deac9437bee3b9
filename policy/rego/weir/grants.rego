package weir

principals contains "everyone"

principals contains concat("", ["user:", input.user.name])

principals contains concat("", ["user_id:", input.user.id])

principals contains concat("", ["group:", g]) if some g in input.user.groups

principals contains concat("", ["project_role:", input.user.roles.project])

principals contains concat("", ["global_role:", input.user.roles.global])

target_keys := {
	"*",
	concat("", ["project:", input.target.project]),
	concat("", ["datasource:", input.target.datasource]),
}

# A set without members restricts nothing.
holds(s, _) if s == {}

holds(s, x) if s[x]

is_one_of(who) if {
	some p in principals
	who.principals[p]
	holds(who.sources, input.user.source)
}

here(target) if {
	holds(target.datasources, input.target.datasource)
	holds(target.projects, input.target.project)
	holds(target.environments, input.target.environment)
	holds(target.databases, input.target.database)
}

# METADATA
# description: Grants, by index, that name the person and the target.
matching contains i if {
	some p in principals
	some k in target_keys
	some i in data.weir.config.grant_index[p][k]
	here(data.weir.config.grants[i].target)
	holds(data.weir.config.grants[i].sources, input.user.source)
}

shown.mfa if input.user.auth.mfa

shown.tls if input.session.tls

shown.grant if {
	input.session.grant != null
	input.session.grant != ""
}

# METADATA
# description: What a matching grant requires and the session has not shown.
missing[i] := {r |
	some r in data.weir.config.grants[i].require
	not shown[r]
} if {
	some i in matching
}

# METADATA
# description: Matching grants whose requirements are met.
usable contains i if {
	some i in matching
	missing[i] == set()
}

# Whoever may connect may begin, commit and set up the session.
free_classes := {"transaction", "session"}

class_permitted if input.statement.class in free_classes

class_permitted if {
	some i in usable
	data.weir.config.grants[i].classes[input.statement.class]
}

# Once projects are listed, a target outside them is nobody's.
target_listed if data.weir.config.projects == {}

target_listed if data.weir.config.projects[input.target.project][input.target.datasource]

# Each thing that is done to a table needs its class, from a grant that covers
# the table. Different tables may be covered by different grants.
access_classes := {
	"select": "read",
	"insert": "write", "update": "write", "delete": "write", "truncate": "write", "lock": "write",
	"references": "ddl", "ddl": "ddl",
}

needed_classes(t) := {object.get(access_classes, a, "unknown") | some a in t.access} if {
	count(t.access) > 0
} else := {input.statement.class}

named(names, _, _) if names.all

named(names, schema, name) if names.exact[schema][name]

named(names, schema, _) if names.schemas[schema]

named(names, schema, name) if {
	some p in names.patterns
	glob.match(p.schema, null, schema)
	glob.match(p.name, null, name)
}

covers(g, t) if {
	named(g.tables, t.schema, t.name)
	not named(g.except_tables, lower(t.schema), lower(t.name))
}

# System catalogs are readable for whoever may read at all.
system_schemas := {"pg_catalog", "information_schema"}

table_class_permitted(t, class) if {
	some i in usable
	data.weir.config.grants[i].classes[class]
	covers(data.weir.config.grants[i], t)
}

table_class_permitted(t, "read") if {
	t.schema in system_schemas
	some i in usable
	data.weir.config.grants[i].classes.read
	not named(data.weir.config.grants[i].except_tables, lower(t.schema), lower(t.name))
}

table_permitted(t) if {
	every class in needed_classes(t) {
		table_class_permitted(t, class)
	}
}

tables_permitted if {
	every t in input.statement.tables {
		table_permitted(t)
	}
}

# METADATA
# description: |
#   Grants that alone allow the statement and all that it does to the table at
#   this index. Only such a grant unmasks the table's columns.
sole[ti] contains i if {
	some ti, t in input.statement.tables
	some i in usable
	g := data.weir.config.grants[i]
	g.classes[input.statement.class]
	every class in needed_classes(t) {
		g.classes[class]
	}
	covers(g, t)
}

# METADATA
# description: An unrestricted grant allows this statement.
unrestricted if {
	some i in usable
	data.weir.config.grants[i].unrestricted
	class_allowed_by(i)
}

analysis_permitted if input.statement.complete

analysis_permitted if unrestricted

function_permitted(f) if f.safe

function_permitted(f) if {
	some i in usable
	named(data.weir.config.grants[i].functions, f.schema, f.name)
}

functions_permitted if unrestricted

functions_permitted if {
	every f in input.statement.functions {
		function_permitted(f)
	}
}

read_only_person if {
	some r in data.weir.config.read_only
	is_one_of(r.who)
	here(r.target)
}

reading_classes := {"read", "explain", "copy", "transaction", "session"}

read_only_respected if not read_only_person

read_only_respected if {
	input.statement.class in reading_classes
	every t in input.statement.tables {
		every a in t.access {
			a == "select"
		}
	}
}
