package weir

# The strictest function wins where several tags mask one column; first is
# strictest. What is not listed is the least strict.
strictness := [
	"null", "redact", "fake", "hash", "pseudonym", "fpe", "bucket", "date_trunc", "noise", "date_shift",
	"card", "iban", "phone", "email", "partial", "regex", "json",
]

ranks := {f: i | some i, f in strictness}

# A tag is never shown because somebody forgot its mask.
default_mask := {
	"function": "null", "args": {}, "elsewhere": "refuse",
	"who": {"principals": {"everyone": true}, "sources": {}},
	"unmasked": {"principals": {}, "sources": {}},
	"source": "the default for a tag without a mask",
}

# METADATA
# description: The first rule of the tag that is for this person and target.
mask_rule(tag) := matched[0] if {
	matched := [m |
		some m in data.weir.config.masks[tag]
		is_one_of(m.who)
		here(m.target)
	]
	count(matched) > 0
} else := default_mask

unmasked_by_rule(tag) if is_one_of(mask_rule(tag).unmasked)

unmasked_by_grant(ti, tag) if {
	some i in sole[ti]
	unmasks(data.weir.config.grants[i], tag)
}

unmasks(g, _) if g.unmasked_all

unmasks(g, tag) if g.unmasked[tag]

# METADATA
# description: |
#   Masks that apply to a column, one per tag that the person does not see
#   unmasked. "for" says whom the mask is for.
mask_candidates contains candidate if {
	not unrestricted
	some ti, t in input.statement.tables
	some c in t.columns
	some tag in c.tags
	not unmasked_by_grant(ti, tag)
	not unmasked_by_rule(tag)
	rule := mask_rule(tag)
	candidate := {
		"schema": t.schema, "table": t.name, "column": c.name,
		"function": rule.function, "args": rule.args, "elsewhere": rule.elsewhere,
		"for": audience(rule.who),
	}
}

audience(who) := named_groups[0] if {
	named_groups := [g |
		some g in input.user.groups
		who.principals[concat("", ["group:", g])]
	]
	count(named_groups) > 0
} else := input.user.name

candidates_by_column[[c.schema, c.table, c.column]] contains c if some c in mask_candidates

masks := [mask |
	some key, candidates in candidates_by_column
	ranked := sort([[object.get(ranks, c.function, 100), c.function, c.args] | some c in candidates])
	mask := {
		"schema": key[0], "table": key[1], "column": key[2],
		"function": ranked[0][1], "args": ranked[0][2],
		"elsewhere": elsewhere(candidates),
	}
]

elsewhere(candidates) := "refuse" if {
	some c in candidates
	c.elsewhere != "masked"
} else := "masked"

mask_reasons contains {"rule": "masked_columns", "message": message} if {
	some c in mask_candidates
	message := sprintf("%s is masked for %s", [c.column, object.get(c, "for", input.user.name)])
}
