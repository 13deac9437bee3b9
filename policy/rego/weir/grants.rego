package weir

principals contains "everyone"

principals contains concat("", ["user:", input.user.name])

principals contains concat("", ["user_id:", input.user.id])

principals contains concat("", ["group:", g]) if some g in input.user.groups

principals contains concat("", ["project_role:", input.user.roles.project])

principals contains concat("", ["global_role:", input.user.roles.global])

# A set without members restricts nothing.
holds(s, _) if s == {}

holds(s, x) if s[x]

is_one_of(who) if {
	who.principals.everyone
	holds(who.sources, input.user.source)
}

is_one_of(who) if {
	some p in principals
	who.principals[p]
	holds(who.sources, input.user.source)
}

here(target) if target.everywhere

here(target) if {
	holds(target.datasources, input.target.datasource)
	holds(target.projects, input.target.project)
	holds(target.environments, input.target.environment)
	holds(target.databases, input.target.database)
}

target_keys := [
	"*",
	concat("", ["project:", input.target.project]),
	concat("", ["datasource:", input.target.datasource]),
]

# METADATA
# description: Grants, by index, that name the person and the target.
matching contains i if {
	some k in target_keys
	filed := data.weir.config.grant_index[k]
	some p in principals
	some i in filed[p]
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
	data.weir.config.grants[i].require == []
}

usable contains i if {
	some i in matching
	missing[i] == set()
}

# Whoever may connect may begin, commit and set up the session.
free_classes := {"transaction", "session"}

# METADATA
# description: Usable grants that allow the statement's class, or the connection.
contributing contains i if {
	some i in usable
	class_allowed_by(i)
}

class_allowed_by(_) if input.phase == "connect"

class_allowed_by(_) if input.statement.class in free_classes

class_allowed_by(i) if data.weir.config.grants[i].classes[input.statement.class]

class_permitted if {
	input.phase == "statement"
	count(contributing) > 0
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

classes_for([]) := {input.statement.class}

classes_for(access) := {object.get(access_classes, a, "unknown") | some a in access} if access != []

# METADATA
# description: The classes that a table, by its index in the statement, needs.
needed[ti] := classes_for(t.access) if some ti, t in input.statement.tables

named(names, _, _) if names.all

named(names, schema, name) if names.exact[schema][name]

named(names, schema, _) if names.schemas[schema]

named(names, schema, name) if {
	some p in names.patterns
	glob.match(p.schema, null, schema)
	glob.match(p.name, null, name)
}

covers(g, _) if g.everything

covers(g, t) if {
	named(g.tables, t.schema, t.name)
	not excepts(g, t)
}

excepts(g, t) if named(g.except_tables, lower(t.schema), lower(t.name))

covering[ti] := {i |
	some i in usable
	covers(data.weir.config.grants[i], {"schema": t.schema, "name": t.name})
} if {
	some ti, t in input.statement.tables
}

# System catalogs are readable for whoever may read at all.
system_schemas := {"pg_catalog", "information_schema"}

class_covered(ti, class) if {
	some i in covering[ti]
	data.weir.config.grants[i].classes[class]
}

class_covered(ti, "read") if {
	t := input.statement.tables[ti]
	t.schema in system_schemas
	some i in usable
	data.weir.config.grants[i].classes.read
	not excepts(data.weir.config.grants[i], {"schema": t.schema, "name": t.name})
}

tables_permitted if {
	every ti, _ in input.statement.tables {
		every class in needed[ti] {
			class_covered(ti, class)
		}
	}
}

# METADATA
# description: |
#   Grants that alone allow the statement and all that it does to the table at
#   this index. Only such a grant unmasks the table's columns.
sole(ti, i) if {
	i in contributing
	i in covering[ti]
	every class in needed[ti] {
		data.weir.config.grants[i].classes[class]
	}
}

# METADATA
# description: An unrestricted grant allows this statement.
unrestricted if {
	some i in contributing
	data.weir.config.grants[i].unrestricted
}

analysis_permitted if input.statement.complete

analysis_permitted if unrestricted

# A complete read does nothing but read, whatever functions it calls. Elsewhere
# what is not known to be safe needs a grant that allows call and covers it.
function_permitted(f) if f.safe

function_permitted(_) if input.statement.class == "read"

function_permitted(f) if {
	input.statement.class == "session"
	f.schema == "pg_catalog"
	f.name == "set_config"
}

function_permitted(f) if {
	some i in usable
	data.weir.config.grants[i].classes.call
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
