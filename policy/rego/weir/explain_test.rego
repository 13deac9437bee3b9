package weir_test

explained(grants, parts) := e if {
	e := data.weir.explain with data.weir.config as config(grants, parts) with input as statement({})
}

test_explain_names_grants_and_masks if {
	e := explained([grant({}), grant({"name": "w", "classes": {"write": true}}), grant({"name": "m", "require": ["mfa"]})], {})
	{[g.name, g.allows_class, g.missing, g.tables] | some g in e.grants} == {
		["g", true, [], ["public.users"]], ["w", false, [], []], ["m", false, ["mfa"], []],
	}
	{[c.column, c.tag, c.function, c.shown] | some c in e.columns} == {["email", "pii.email", "null", ""]}
	not e.read_only
}

test_explain_says_why_a_value_is_shown if {
	why([grant({"unmasked_all": true})], {}) == "grant g"
	why([grant({"unrestricted": true})], {}) == "an unrestricted grant"
	why([grant({})], {"masks": {"pii.email": [mask({"unmasked": group("analysts")})]}}) == "listed as unmasked"
	why([grant({})], {}) == ""
}

why(grants, parts) := explained(grants, parts).columns[0].shown

test_explain_row_filters if {
	parts := {"row_filters": [filter({}), filter({"who": group("others")})], "row_filter_index": {"public": {"users": [0, 1]}}}
	[f.applies | some f in explained([grant({})], parts).row_filters] == [true, false]
	[f.applies | some f in explained([grant({"unrestricted": true})], parts).row_filters] == [false, false]
}

test_explain_read_only if {
	explained([grant({})], {"read_only": [{"who": everyone, "target": everywhere}]}).read_only
}
