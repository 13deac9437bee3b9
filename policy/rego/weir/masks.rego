package weir

# A tag is never shown because somebody forgot its mask.
default_mask := {
	"function": "null", "args": {}, "elsewhere": "refuse", "rank": 0,
	"who": {"principals": {"everyone": true}, "sources": {}},
	"unmasked": {"principals": {}, "sources": {}},
	"source": "the default for a tag without a mask",
}

used_tags contains tag if some tag in input.statement.tables[_].columns[_].tags

# METADATA
# description: The first mask rule of each tag that is for this person and target.
tag_rule[tag] := first_rule(tag) if some tag in used_tags

first_rule(tag) := matched[0] if {
	matched := [m |
		some m in data.weir.config.masks[tag]
		is_one_of(m.who)
		here(m.target)
	]
	count(matched) > 0
} else := default_mask

# METADATA
# description: What a mask of the tag is, and whom it is for.
tag_mask[tag] := {
	"function": rule.function, "args": rule.args, "elsewhere": rule.elsewhere, "rank": rule.rank,
	"for": audience(rule.who),
} if {
	some tag, rule in tag_rule
}

audience(who) := named_groups[0] if {
	not who.principals.everyone
	named_groups := [g |
		some g in input.user.groups
		who.principals[concat("", ["group:", g])]
	]
	count(named_groups) > 0
} else := input.user.name

# METADATA
# description: Tags that the mask rule itself shows to the person.
listed_unmasked contains tag if {
	some tag, rule in tag_rule
	rule.unmasked.principals != {}
	is_one_of(rule.unmasked)
}

unmasking_grants contains i if {
	some i in contributing
	data.weir.config.grants[i].unmasks
}

unmasks(g, _) if g.unmasked_all

unmasks(g, tag) if g.unmasked[tag]

# METADATA
# description: Tags that some grant shows in the table at this index.
granted_unmasked[ti] contains tag if {
	count(unmasking_grants) > 0
	some ti, _ in input.statement.tables
	some tag in used_tags
	some i in unmasking_grants
	unmasks(data.weir.config.grants[i], tag)
	sole(ti, i)
}

granted_tags(ti) := granted_unmasked[ti] if count(unmasking_grants) > 0

else := set()

# METADATA
# description: |
#   Masks that modules of your own add: objects with schema, table, column,
#   function, args, elsewhere. The strictest mask of a column wins.
mask_candidates contains c if some c in []

tagged_columns := [{
	"schema": t.schema, "table": t.name, "column": c.name,
	"mask": strictest(candidates),
} |
	not unrestricted
	some ti, t in input.statement.tables
	lifted := listed_unmasked | granted_tags(ti)
	some c in t.columns
	c.tags != []
	candidates := [tag_mask[tag] | some tag in c.tags; not tag in lifted]
	candidates != []
]

masks := [{
	"schema": x.schema, "table": x.table, "column": x.column,
	"function": m.function, "args": m.args, "elsewhere": m.elsewhere,
} |
	some x in tagged_columns
	m := x.mask
] if {
	count(mask_candidates) == 0
} else := merged_masks

# The lowest rank is the strictest; "refuse" is stricter than "masked".
strictest([m]) := m

strictest(list) := object.union(ranked[0][3], {"elsewhere": elsewhere(list)}) if {
	count(list) > 1
	ranked := sort([[object.get(m, "rank", 100), m.function, m.args, m] | some m in list])
}

elsewhere(list) := "refuse" if {
	some m in list
	m.elsewhere != "masked"
} else := "masked"

by_column[[x.schema, x.table, x.column]] contains x.mask if some x in tagged_columns

by_column[[c.schema, c.table, c.column]] contains m if {
	some c in mask_candidates
	m := {
		"function": c.function, "args": object.get(c, "args", {}),
		"elsewhere": object.get(c, "elsewhere", "refuse"),
		"rank": object.get(data.weir.config.strictness, c.function, 100),
	}
}

merged_masks := [{
	"schema": key[0], "table": key[1], "column": key[2],
	"function": m.function, "args": m.args, "elsewhere": m.elsewhere,
} |
	some key, list in by_column
	m := strictest([m | some m in list])
]

mask_reasons := [{"rule": "masked_columns", "message": message} |
	some message in {concat("", [x.column, " is masked for ", x.mask["for"]]) | some x in tagged_columns}
]
