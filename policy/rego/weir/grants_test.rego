package weir_test

decide(grants, parts, changes) := d if {
	d := data.weir.decision with data.weir.config as config(grants, parts) with input as statement(changes)
}

test_no_policy_data_denies if {
	d := decide([], {}, {})
	not d.allow
	messages(d) == {"no grant lets ana use shop"}
}

test_connect_needs_a_grant if {
	d := data.weir.decision with data.weir.config as config([], {}) with input as connect
	not d.allow
	rules(d) == {"no_grant"}
	e := data.weir.decision with data.weir.config as config([grant({})], {}) with input as connect
	e.allow
	e.reasons == []
}

test_statement_phase_without_statement_denies if {
	d := data.weir.decision with data.weir.config as config([grant({})], {})
		with input as object.union(connect, {"phase": "statement"})
	not d.allow
	rules(d) == {"default"}
}

test_unknown_phase_denies if {
	not decide([grant({})], {}, {"phase": "other"}).allow
}

test_group_grant_allows if {
	decide([grant({})], {}, {}).allow
}

test_principals if {
	every p in ["everyone", "user:ana", "user_id:local|1", "group:analysts", "project_role:viewer", "global_role:member"] {
		decide([grant({"principal": p})], {}, {}).allow
	}
	every p in ["user:bob", "user:local|1", "user_id:ana", "group:ana", "project_role:member", "global_role:viewer"] {
		not decide([grant({"principal": p})], {}, {}).allow
	}
}

test_sources_narrow_a_grant if {
	decide([grant({"sources": {"local": true}})], {}, {}).allow
	not decide([grant({"sources": {"oidc:corp": true}})], {}, {}).allow
}

test_target_narrows_a_grant if {
	every t in [
		{"projects": {"sales": true}}, {"datasources": {"shop": true}},
		{"environments": {"production": true}}, {"databases": {"shop": true}},
	] {
		decide([grant({"target": target(t)})], {}, {}).allow
	}
	every t in [
		{"projects": {"x": true}}, {"datasources": {"x": true}}, {"environments": {"x": true}}, {"databases": {"x": true}},
		{"projects": {"sales": true}, "databases": {"x": true}},
	] {
		not decide([grant({"target": target(t)})], {}, {}).allow
	}
}

test_listed_projects_deny_other_targets if {
	decide([grant({})], {"projects": {"sales": {"shop": true}}}, {}).allow
	d := decide([grant({})], {"projects": {"sales": {"other": true}}}, {})
	not d.allow
	messages(d) == {"the policy lists no project sales with a datasource shop"}
}

test_class_must_be_allowed if {
	d := decide([grant({})], {}, {"statement": {"class": "write"}})
	not d.allow
	messages(d) == {"no grant lets ana write to shop"}
}

test_unknown_class_is_named_in_words if {
	d := decide([grant({})], {}, {"statement": {"class": "new"}})
	messages(d) == {"no grant lets ana run statements that weir does not know on shop"}
}

test_transaction_and_session_are_free_for_whoever_may_connect if {
	every class in ["transaction", "session"] {
		decide([grant({})], {}, {"statement": {"class": class, "tables": []}}).allow
		not decide([], {}, {"statement": {"class": class, "tables": []}}).allow
	}
}

test_session_statement_still_needs_its_tables if {
	d := decide([grant({"tables": tables("public", "orders")})], {}, {"statement": {"class": "session"}})
	not d.allow
	rules(d) == {"table"}
}

test_grants_combine_classes if {
	decide([grant({}), grant({"classes": {"write": true}})], {}, {"statement": {"class": "write", "tables": [users(["select", "update"])]}}).allow
}

test_each_access_needs_its_class if {
	d := decide([grant({"classes": {"write": true}})], {}, {"statement": {"class": "write", "tables": [users(["select", "update"])]}})
	not d.allow
	messages(d) == {"no grant lets ana read public.users in shop"}
}

test_unknown_access_needs_unknown if {
	not decide([grant({})], {}, {"statement": {"tables": [users(["peek"])]}}).allow
	decide([grant({"classes": {"read": true, "unknown": true}})], {}, {"statement": {"tables": [users(["peek"])]}}).allow
}

test_table_without_access_needs_the_class if {
	decide([grant({})], {}, {"statement": {"tables": [users([])]}}).allow
	not decide([grant({"tables": tables("public", "x")})], {}, {"statement": {"tables": [users([])]}}).allow
}

test_tables_narrow_a_grant if {
	decide([grant({"tables": tables("public", "users")})], {}, {}).allow
	decide([grant({"tables": object.union(no_names, {"schemas": {"public": true}})})], {}, {}).allow
	decide([grant({"tables": object.union(no_names, {"patterns": [{"schema": "pub*", "name": "u?ers"}]})})], {}, {}).allow
	d := decide([grant({"tables": tables("public", "orders")})], {}, {})
	not d.allow
	messages(d) == {"no grant lets ana read public.users in shop"}
}

test_tables_of_a_grant_mind_case if {
	not decide([grant({"tables": tables("public", "Users")})], {}, {}).allow
}

test_except_tables_ignore_case if {
	t := {"statement": {"tables": [table("public", "USERS", ["select"])]}}
	decide([grant({})], {}, t).allow
	not decide([grant({"except_tables": tables("public", "users")})], {}, t).allow
}

test_tables_from_different_grants_combine if {
	t := {"statement": {"tables": [users(["select"]), table("hr", "staff", ["select"])]}}
	decide([grant({"tables": tables("public", "users")}), grant({"tables": tables("hr", "staff")})], {}, t).allow
	not decide([grant({"tables": tables("public", "users")})], {}, t).allow
}

test_system_catalogs_are_readable if {
	g := grant({"tables": tables("public", "users")})
	t := {"statement": {"tables": [table("pg_catalog", "pg_class", ["select"])]}}
	decide([g], {}, t).allow
	not decide([grant({"classes": {"write": true}})], {}, t).allow
	not decide([grant({"tables": tables("public", "users"), "except_tables": tables("pg_catalog", "pg_class")})], {}, t).allow
	not decide([g], {}, {"statement": {"class": "write", "tables": [table("pg_catalog", "pg_class", ["update"])]}}).allow
}

test_incomplete_needs_unrestricted if {
	d := decide([grant({})], {}, {"statement": {"complete": false}})
	not d.allow
	messages(d) == {"weir could not analyse the whole statement, and ana has no unrestricted grant on shop"}
	decide([grant({"unrestricted": true})], {}, {"statement": {"complete": false}}).allow
}

test_unrestricted_grant_must_allow_the_class if {
	g := [grant({}), grant({"unrestricted": true, "classes": {"admin": true}})]
	not decide(g, {}, {"statement": {"complete": false}}).allow
}

calls(class, schema, name) := {"statement": {"class": class, "tables": [], "functions": [
	{"schema": schema, "name": name, "safe": false},
	{"schema": "pg_catalog", "name": "upper", "safe": true},
]}}

test_a_complete_read_may_call_what_reads if {
	decide([grant({})], {}, calls("read", "pg_catalog", "pg_relation_size")).allow
	not decide([grant({})], {}, {"statement": object.union(calls("read", "app", "peek").statement, {"complete": false})}).allow
}

test_other_statements_need_a_grant_for_unsafe_functions if {
	f := calls("write", "app", "total")
	d := decide([grant({"classes": {"write": true}})], {}, f)
	not d.allow
	messages(d) == {"no grant lets ana call app.total, which is not known to be safe, on shop"}
	decide([grant({"classes": {"write": true, "call": true}})], {}, f).allow
	decide([grant({"classes": {"write": true, "call": true}, "functions": tables("app", "total")})], {}, f).allow
	not decide([grant({"classes": {"write": true, "call": true}, "functions": tables("app", "other")})], {}, f).allow
	not decide([grant({"classes": {"write": true}, "functions": tables("app", "total")})], {}, f).allow
	decide([grant({"classes": {"write": true}, "unrestricted": true})], {}, f).allow
}

test_call_needs_its_class if {
	d := decide([grant({})], {}, calls("call", "pg_catalog", "nextval"))
	messages(d) == {"no grant lets ana call procedures or functions with effects on shop"}
	decide([grant({"classes": {"call": true}, "functions": tables("pg_catalog", "nextval")})], {}, calls("call", "pg_catalog", "nextval")).allow
}

test_session_statements_may_set_but_not_call if {
	decide([grant({})], {}, calls("session", "pg_catalog", "set_config")).allow
	not decide([grant({})], {}, calls("session", "app", "set_config")).allow
	not decide([grant({})], {}, calls("session", "pg_catalog", "pg_terminate_backend")).allow
}

test_requirements if {
	every case in [
		["mfa", "multi-factor authentication", {"user": {"auth": {"mfa": true}}}],
		["tls", "an encrypted connection", {"session": {"tls": true}}],
		["grant", "a temporary access grant", {"session": {"grant": "g1"}}],
	] {
		d := decide([grant({"require": [case[0]]})], {}, {})
		not d.allow
		d.require == [case[0]]
		messages(d) == {sprintf("ana may use shop only with %s", [case[1]])}
		decide([grant({"require": [case[0]]})], {}, case[2]).allow
	}
}

test_an_empty_access_grant_is_none if {
	not decide([grant({"require": ["grant"]})], {}, {"session": {"grant": ""}}).allow
}

test_requirement_of_one_grant_does_not_bind_another if {
	g := [grant({}), grant({"classes": {"write": true}, "require": ["mfa"]})]
	decide(g, {}, {}).allow
	d := decide(g, {}, {"statement": {"class": "write", "tables": [users(["update"])]}})
	not d.allow
	d.require == ["mfa"]
	messages(d) == {"no grant lets ana write to shop without multi-factor authentication"}
}

test_read_only_people if {
	all := [grant({"classes": {"read": true, "write": true, "ddl": true, "copy": true}})]
	ro := {"read_only": [{"who": group("analysts"), "target": everywhere}]}
	decide(all, ro, {}).allow
	decide(all, ro, {"statement": {"class": "transaction", "tables": []}}).allow
	decide(all, ro, {"statement": {"class": "copy", "tables": [users(["select"])]}}).allow
	every s in [
		{"class": "write", "tables": [users(["update"])]}, {"class": "ddl", "tables": []},
		{"class": "copy", "tables": [users(["insert"])]}, {"class": "read", "tables": [users(["select", "lock"])]},
	] {
		d := decide(all, ro, {"statement": s})
		not d.allow
		messages(d) == {"ana may only read on shop"}
	}
	decide(all, {"read_only": [{"who": group("others"), "target": everywhere}]}, {"statement": {"class": "ddl", "tables": []}}).allow
	decide(all, {"read_only": [{"who": group("analysts"), "target": target({"datasources": {"x": true}})}]}, {"statement": {"class": "ddl", "tables": []}}).allow
}

test_limits_are_those_of_the_most_generous_grant if {
	small := grant({"limits": {"rows": 10, "seconds": 5}})
	large := grant({"limits": {"rows": 100, "seconds": 1}})
	decide([small], {}, {}).limits == {"rows": 10, "seconds": 5}
	decide([small, large], {}, {}).limits == {"rows": 100, "seconds": 5}
	decide([small, grant({})], {}, {}).limits == {}
	decide([small, grant({"classes": {"write": true}})], {}, {}).limits == {"rows": 10, "seconds": 5}
}

test_audit_is_that_of_the_most_detailed_grant if {
	decide([], {}, {}).audit == {"level": "statement"}
	decide([grant({"audit_rank": 0})], {}, {}).audit == {"level": "statement"}
	decide([grant({}), grant({"audit_rank": 2})], {}, {}).audit == {"level": "full"}
	decide([grant({"audit_rank": 0})], {"defaults": {"mode": "enforce", "audit_rank": 0}}, {}).audit == {"level": "metadata"}
}

test_observe_needs_all_matching_grants if {
	o := grant({"mode": "observe"})
	decide([o], {}, {}).mode == "observe"
	decide([o, grant({})], {}, {}).mode == "enforce"
	decide([], {}, {}).mode == "enforce"
	denied := decide([o], {}, {"statement": {"class": "write"}})
	not denied.allow
	denied.mode == "observe"
}
