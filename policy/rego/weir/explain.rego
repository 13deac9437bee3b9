package weir

# METADATA
# description: How the decision came about, for weir policy explain.
explain := {
	"principals": [p | some p in principals],
	"grants": [grant_use(i) | some i in matching],
	"columns": [use |
		some ti, t in input.statement.tables
		some c in t.columns
		some tag in c.tags
		use := tag_use(ti, t, c, tag)
	],
	"row_filters": [use |
		some t in input.statement.tables
		some i in row_filter_rules(t)
		use := row_filter_use(t, data.weir.config.row_filters[i])
	],
	"read_only": read_only_flag,
}

grant_use(i) := {
	"name": data.weir.config.grants[i].name,
	"defined": data.weir.config.grants[i].source,
	"mode": data.weir.config.grants[i].mode,
	"missing": [r | some r in missing[i]],
	"allows_class": i in contributing,
	"tables": [concat(".", [t.schema, t.name]) |
		some ti, t in input.statement.tables
		sole(ti, i)
	],
}

tag_use(ti, t, c, tag) := {
	"schema": t.schema, "table": t.name, "column": c.name, "tag": tag,
	"function": tag_rule[tag].function,
	"rule": tag_rule[tag].source,
	"shown": shown_because(ti, tag),
}

shown_because(ti, tag) := "an unrestricted grant" if {
	unrestricted
} else := concat("", ["grant ", names[0]]) if {
	names := [data.weir.config.grants[i].name |
		some i in unmasking_grants
		unmasks(data.weir.config.grants[i], tag)
		sole(ti, i)
	]
	count(names) > 0
} else := "listed as unmasked" if {
	tag in listed_unmasked
} else := ""

row_filter_use(t, rule) := {
	"schema": t.schema, "table": t.name, "expression": rule.expression, "rule": rule.source,
	"applies": row_filter_in_force(rule),
}

default row_filter_in_force(_) := false

row_filter_in_force(rule) := row_filter_applies(rule) if not unrestricted

default read_only_flag := false

read_only_flag if read_only_person
