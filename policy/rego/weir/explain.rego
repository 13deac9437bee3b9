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
	"read_only": read_only_text,
}

grant_use(i) := {
	"name": data.weir.config.grants[i].name,
	"mode": data.weir.config.grants[i].mode,
	"missing": [r | some r in missing[i]],
	"allows_class": class_allowed_text(i),
	"tables": [concat(".", [t.schema, t.name]) |
		some ti, t in input.statement.tables
		sole[ti][i]
	],
}

default class_allowed_text(_) := false

class_allowed_text(i) if class_allowed_by(i)

tag_use(ti, t, c, tag) := {
	"schema": t.schema, "table": t.name, "column": c.name, "tag": tag,
	"function": mask_rule(tag).function,
	"rule": mask_rule(tag).source,
	"shown": shown_because(ti, tag),
}

shown_because(ti, tag) := "an unrestricted grant" if {
	unrestricted
} else := concat("", ["grant ", unmasking_grants(ti, tag)[0]]) if {
	count(unmasking_grants(ti, tag)) > 0
} else := "listed as unmasked" if {
	unmasked_by_rule(tag)
} else := ""

unmasking_grants(ti, tag) := [data.weir.config.grants[i].name |
	some i in sole[ti]
	unmasks(data.weir.config.grants[i], tag)
]

row_filter_use(t, rule) := {
	"schema": t.schema, "table": t.name, "expression": rule.expression, "rule": rule.source, "applies": row_filter_applies(rule),
}

default row_filter_applies(_) := false

row_filter_applies(rule) if {
	not unrestricted
	is_one_of(rule.who)
	not is_one_of(rule.except)
	here(rule.target)
}

default read_only_text := false

read_only_text if read_only_person
