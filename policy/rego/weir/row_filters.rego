package weir

# Every filter that matches applies; an unrestricted grant lifts them all.
row_filter_rules(t) := array.concat(
	object.get(object.get(data.weir.config.row_filter_index, lower(t.schema), {}), lower(t.name), []),
	[i |
		some i in data.weir.config.row_filter_patterns
		named(data.weir.config.row_filters[i].tables, lower(t.schema), lower(t.name))
	],
)

row_filter_candidates contains filter if {
	not unrestricted
	some t in input.statement.tables
	some i in row_filter_rules(t)
	rule := data.weir.config.row_filters[i]
	is_one_of(rule.who)
	not is_one_of(rule.except)
	here(rule.target)
	filter := {"schema": t.schema, "table": t.name, "expression": rule.expression}
}

row_filters := [f | some f in row_filter_candidates]

row_filter_reasons contains {"rule": "row_filters", "message": message} if {
	some f in row_filter_candidates
	message := sprintf("%s.%s shows only some of its rows to %s", [f.schema, f.table, input.user.name])
}
