package weir_test

masked(grants, masks, changes) := decide(grants, {"masks": masks}, changes).masks

email(function) := {
	"schema": "public", "table": "users", "column": "email",
	"function": function, "args": {}, "elsewhere": "refuse",
}

test_tagged_column_is_masked_for_everyone if {
	d := decide([grant({})], {"masks": {"pii.email": [mask({})]}}, {})
	d.allow
	d.masks == [email("redact")]
	messages(d) == {"email is masked for ana"}
}

test_reason_names_the_group if {
	d := decide([grant({})], {"masks": {"pii.email": [mask({"who": group("analysts")})]}}, {})
	messages(d) == {"email is masked for analysts"}
}

test_tag_without_rule_is_masked_with_null if {
	masked([grant({})], {}, {}) == [email("null")]
	masked([grant({})], {"pii.email": []}, {}) == [email("null")]
	masked([grant({})], {"pii.email": [mask({"who": group("others")})]}, {}) == [email("null")]
}

test_first_matching_rule_decides if {
	masked([grant({})], {"pii.email": [
		mask({"who": group("others"), "function": "a"}),
		mask({"target": target({"datasources": {"x": true}}), "function": "b"}),
		mask({"who": group("analysts"), "function": "c"}),
		mask({"function": "d"}),
	]}, {}) == [email("c")]
}

test_listed_people_see_the_value if {
	masked([grant({})], {"pii.email": [mask({"unmasked": group("analysts")})]}, {}) == []
	masked([grant({})], {"pii.email": [mask({"unmasked": group("others")})]}, {}) == [email("redact")]
}

test_unmasked_of_a_later_rule_does_not_count if {
	masked([grant({})], {"pii.email": [mask({}), mask({"unmasked": group("analysts")})]}, {}) == [email("redact")]
}

test_grant_unmasks_a_tag if {
	masked([grant({"unmasked": {"pii.email": true}})], {}, {}) == []
	masked([grant({"unmasked_all": true})], {}, {}) == []
	masked([grant({"unmasked": {"pii.phone": true}})], {}, {}) == [email("null")]
	masked([grant({}), grant({"unmasked": {"pii.email": true}})], {}, {}) == []
}

test_grant_unmasks_only_what_it_allows_alone if {
	u := {"unmasked": {"pii.email": true}}
	masked([grant({}), grant(object.union(u, {"classes": {"write": true}}))], {}, {}) == [email("null")]
	masked([grant({}), grant(object.union(u, {"tables": tables("public", "orders")}))], {}, {}) == [email("null")]
	masked([grant({}), grant(object.union(u, {"require": ["mfa"]}))], {}, {}) == [email("null")]
	masked([grant({}), grant(object.union(u, {"target": target({"datasources": {"x": true}})}))], {}, {}) == [email("null")]
	masked([grant({}), grant(object.union(u, {"principal": "group:others"}))], {}, {}) == [email("null")]
	masked(
		[grant({"classes": {"read": true, "copy": true}}), grant(u)], {},
		{"statement": {"class": "copy", "tables": [users(["select"])]}},
	) == [email("null")]
}

test_unrestricted_sees_everything if {
	d := decide([grant({"unrestricted": true})], {"row_filters": [filter({})], "row_filter_index": {"public": {"users": [0]}}}, {})
	d.allow
	d.masks == []
	d.row_filters == []
}

tagged(tags) := {"statement": {"tables": [{
	"schema": "public", "name": "users", "kind": "table", "access": ["select"],
	"columns": [{"name": "email", "tags": tags, "uses": ["output"]}],
}]}}

two := {
	"a": [mask({"function": "email", "rank": 13, "elsewhere": "masked"})],
	"b": [mask({"function": "hash", "rank": 3, "elsewhere": "masked"})],
	"c": [mask({"function": "own", "rank": 100, "elsewhere": "refuse"})],
}

test_strictest_mask_of_several_tags if {
	masked([grant({})], two, tagged(["a", "b"])) == [object.union(email("hash"), {"elsewhere": "masked"})]
	masked([grant({})], two, tagged(["a", "c"])) == [email("email")]
	masked([grant({"unmasked": {"b": true}})], two, tagged(["a", "b"])) == [object.union(email("email"), {"elsewhere": "masked"})]
	masked([grant({"unmasked": {"a": true, "b": true}})], two, tagged(["a", "b"])) == []
}

test_every_table_is_masked if {
	t := {"statement": {"tables": [users(["select"]), object.union(users(["select"]), {"name": "people"})]}}
	{m.table | some m in masked([grant({})], {}, t)} == {"users", "people"}
}

test_own_candidates_merge if {
	own := {{"schema": "public", "table": "users", "column": "email", "function": "hash"}}
	d := data.weir.decision with data.weir.config as config([grant({})], {"masks": {"pii.email": [mask({"function": "email", "rank": 13})]}})
		with input as statement({})
		with data.weir.mask_candidates as own
	d.masks == [email("hash")]
	weaker := {{"schema": "public", "table": "users", "column": "id", "function": "redact", "args": {"value": "0"}}}
	e := data.weir.decision with data.weir.config as config([grant({})], {})
		with input as statement({})
		with data.weir.mask_candidates as weaker
	{[m.column, m.function, m.args] | some m in e.masks} == {["id", "redact", {"value": "0"}], ["email", "null", {}]}
}

test_own_denial if {
	d := data.weir.decision with data.weir.config as config([grant({})], {})
		with input as statement({})
		with data.weir.deny as {{"rule": "mine", "message": "not today"}}
	not d.allow
	messages(d) == {"not today"}
}
