package weir

# Every filter that matches applies; an unrestricted grant lifts them all.
row_filter_rules(t) := array.concat(
	object.get(data.weir.config.row_filter_index, [lower(t.schema), lower(t.name)], []),
	[i |
		some i in data.weir.config.row_filter_patterns
		named(data.weir.config.row_filters[i].tables, lower(t.schema), lower(t.name))
	],
)

# METADATA
# description: |
#   Row filters: objects with schema, table, expression. Modules of your own may
#   add some.
row_filter_candidates contains filter if {
	count(data.weir.config.row_filters) > 0
	not unrestricted
	some t in input.statement.tables
	some i in row_filter_rules(t)
	rule := data.weir.config.row_filters[i]
	row_filter_applies(rule)
	filter := {"schema": t.schema, "table": t.name, "expression": rule.expression}
}

default row_filter_applies(_) := false

row_filter_applies(rule) if {
	is_one_of(rule.who)
	not is_one_of(rule.except)
	here(rule.target)
}

row_filters := [f | some f in row_filter_candidates]

row_filter_reasons := [{"rule": "row_filters", "message": message} |
	some message in {concat("", [f.schema, ".", f.table, " shows only some of its rows to ", input.user.name]) |
		some f in row_filter_candidates
	}
]
