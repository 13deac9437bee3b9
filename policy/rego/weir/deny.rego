package weir

# Objections are sentences for people. They name what is missing, never what
# others may do.

phrases := {
	"read": "read from", "write": "write to", "ddl": "change the schema of", "dcl": "change rights on",
	"call": "call procedures or functions with effects on", "copy": "use COPY on", "explain": "use EXPLAIN on", "admin": "administer",
	"unknown": "run statements that weir does not know on",
}

requirement := {"mfa": "multi-factor authentication", "tls": "an encrypted connection", "grant": "a temporary access grant"}

deny contains {"rule": "project", "message": message} if {
	not target_listed
	message := sprintf("the policy lists no project %s with a datasource %s", [input.target.project, input.target.datasource])
}

deny contains {"rule": "no_grant", "message": message} if {
	target_listed
	count(matching) == 0
	message := sprintf("no grant lets %s use %s", [input.user.name, input.target.datasource])
}

deny contains {"rule": "require", "message": message} if {
	target_listed
	count(usable) == 0
	some i in matching
	some r in missing[i]
	message := sprintf("%s may use %s only with %s", [input.user.name, input.target.datasource, requirement[r]])
}

deny contains {"rule": "class", "message": message} if {
	input.phase == "statement"
	may_connect
	not class_permitted
	message := sprintf("no grant lets %s %s %s%s", [
		input.user.name,
		object.get(phrases, input.statement.class, phrases.unknown),
		input.target.datasource,
		unlocked_by,
	])
}

unlocked_by := sprintf(" without %s", [concat(" and ", [requirement[r] | some r in required_for_class])]) if {
	count(required_for_class) > 0
} else := ""

deny contains {"rule": "table", "message": message} if {
	may_connect
	class_permitted
	not tables_permitted
	some ti, t in input.statement.tables
	some class in needed[ti]
	not class_covered(ti, class)
	message := sprintf("no grant lets %s %s %s.%s in %s", [
		input.user.name, object.get(table_phrases, class, "use"), t.schema, t.name, input.target.datasource,
	])
}

table_phrases := {"read": "read", "write": "write to", "ddl": "change the definition of"}

deny contains {"rule": "function", "message": message} if {
	may_connect
	class_permitted
	not functions_permitted
	some f in input.statement.functions
	not function_permitted(f)
	message := sprintf("no grant lets %s call %s.%s, which is not known to be safe, on %s", [
		input.user.name, f.schema, f.name, input.target.datasource,
	])
}

deny contains {"rule": "incomplete", "message": message} if {
	may_connect
	class_permitted
	not analysis_permitted
	message := sprintf("weir could not analyse the whole statement, and %s has no unrestricted grant on %s", [
		input.user.name, input.target.datasource,
	])
}

deny contains {"rule": "read_only", "message": message} if {
	input.phase == "statement"
	may_connect
	not read_only_respected
	message := sprintf("%s may only read on %s", [input.user.name, input.target.datasource])
}
