# METADATA
# title: The shipped policy
# description: |
#   Decides from data: who may do what where (grants.rego), what is masked
#   (masks.rego), which rows are seen (row_filters.rego). A module in this
#   package may add to deny, mask_candidates and row_filter_candidates.
# scope: subpackages
# schemas:
#   - data.weir.config: schema.weir_config
package weir

# METADATA
# description: What weir asks for, once per statement and once at connect.
# entrypoint: true
decision := {
	"allow": allow,
	"mode": mode,
	"reasons": reasons,
	"masks": masks,
	"row_filters": row_filters,
	"limits": limits,
	"require": [r | some r in required],
	"audit": {"level": audit_level},
}

# Allowing needs a positive answer to every question, and no objection. The
# objections only explain, unless a module of your own adds one.
default allow := false

allow if {
	input.phase == "connect"
	may_connect
	count(deny) == 0
}

allow if {
	input.phase == "statement"
	may_connect
	class_permitted
	tables_permitted
	functions_permitted
	analysis_permitted
	read_only_respected
	count(deny) == 0
}

may_connect if {
	target_listed
	count(usable) > 0
}

# Grants add: the mode is observe only if every grant that reaches the person
# here says so.
default mode := "enforce"

mode := "observe" if {
	count(matching) > 0
	every i in matching {
		data.weir.config.grants[i].mode == "observe"
	}
}

reasons := array.concat(mask_reasons, row_filter_reasons) if {
	allow
} else := [r | some r in deny] if {
	count(deny) > 0
} else := [{"rule": "default", "message": "nothing allows this"}]

# The most generous grant sets the limit; 0 is none.
limits := {name: value |
	some name in ["rows", "seconds"]
	bounds := {data.weir.config.grants[i].limits[name] | some i in contributing}
	not 0 in bounds
	value := max(bounds)
}

# The most detailed level of the matching grants, and at least the default.
audit_level := level if {
	ranks := {data.weir.config.grants[i].audit_rank | some i in matching} | {data.weir.config.defaults.audit_rank}
	level := ["metadata", "statement", "full"][max(ranks)]
}

# METADATA
# description: What the session would have to show for a grant to count.
required contains r if {
	not allow
	target_listed
	count(usable) == 0
	some i in matching
	some r in missing[i]
}

required contains r if {
	not allow
	some r in required_for_class
}

required_for_class contains r if {
	count(usable) > 0
	input.phase == "statement"
	not class_permitted
	some i in matching
	data.weir.config.grants[i].classes[input.statement.class]
	some r in missing[i]
}
