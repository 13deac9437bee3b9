package weir_test

filtered(filters, changes) := decide([grant({})], object.union({"row_filter_index": {"public": {"users": numbers.range(0, count(filters) - 1)}}}, {"row_filters": filters}), changes)

eu := {"schema": "public", "table": "users", "expression": "region = 'EU'"}

test_filter_applies if {
	d := filtered([filter({"expression": "region = 'EU'"})], {})
	d.allow
	d.row_filters == [eu]
	"public.users shows only some of its rows to ana" in messages(d)
}

test_all_filters_apply if {
	count(filtered([filter({"expression": "a"}), filter({"expression": "b"})], {}).row_filters) == 2
}

test_filter_is_for_its_people_and_target if {
	filtered([filter({"who": group("others")})], {}).row_filters == []
	filtered([filter({"except": group("analysts")})], {}).row_filters == []
	filtered([filter({"target": target({"environments": {"test": true}})})], {}).row_filters == []
	count(filtered([filter({"who": group("analysts"), "except": group("others")})], {}).row_filters) == 1
}

test_filter_ignores_case_of_the_table if {
	d := filtered([filter({})], {"statement": {"tables": [table("PUBLIC", "Users", ["select"])]}})
	d.row_filters == [{"schema": "PUBLIC", "table": "Users", "expression": "true"}]
}

test_filter_by_pattern if {
	parts := {
		"row_filters": [filter({"tables": object.union(no_names, {"schemas": {"public": true}})})],
		"row_filter_patterns": [0],
	}
	count(decide([grant({})], parts, {}).row_filters) == 1
	decide([grant({})], parts, {"statement": {"tables": [table("hr", "staff", ["select"])]}}).row_filters == []
}
