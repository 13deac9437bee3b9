package policy

import (
	"fmt"
	"maps"
	"slices"
)

func (b *dataBuilder) tagRules() {
	known := map[string]bool{}
	for i := range b.doc.Tags {
		r := &b.doc.Tags[i]
		path := r.Pos.path
		if r.Tag == "" {
			b.faults.add(r.Pos, path+".tag", "missing")
		}
		if len(r.Columns) == 0 {
			b.faults.add(r.Pos, path+".columns", "missing")
		}
		known[r.Tag] = true
		target := b.target(path+".target", r.Target)
		if len(target.Environments) > 0 {
			b.faults.add(r.Target.Pos, path+".target.environments", "a tag cannot depend on the environment")
		}
		except := b.columns(r.Pos, path+".except", r.Except)
		for _, parts := range b.columns(r.Pos, path+".columns", r.Columns) {
			b.tags.add(tagColumns{tag: r.Tag, schema: parts[0], table: parts[1], column: parts[2], except: &except, target: target})
		}
	}
	for i := range b.doc.Masks {
		if p, err := tagPattern(b.doc.Masks[i].Tag); err == nil && p.literal {
			known[p.text] = true
		}
	}
	delete(known, "")
	b.known = slices.Sorted(maps.Keys(known))
}

func (b *dataBuilder) columns(pos Position, path string, list []string) [][]pattern {
	all := make([][]pattern, 0, len(list))
	for i, x := range list {
		parts, err := dotted(x, 3, true, true)
		if err != nil {
			b.faults.add(pos, fmt.Sprintf("%s[%d]", path, i), "%q: %s", x, err)
			continue
		}
		all = append(all, parts)
	}
	return all
}

func (b *dataBuilder) maskRules() {
	b.set.Masks = make(map[string][]maskData, len(b.known))
	for _, tag := range b.known {
		b.set.Masks[tag] = []maskData{}
	}
	for i := range b.doc.Masks {
		r := &b.doc.Masks[i]
		path := r.Pos.path
		p, err := tagPattern(r.Tag)
		if err != nil {
			b.faults.add(r.Pos, path+".tag", "missing")
			continue
		}
		if r.Function == "" {
			b.faults.add(r.Pos, path+".function", "missing")
		} else if b.masks != nil {
			if err := b.masks(r.Function, r.Args); err != nil {
				b.faults.add(r.Pos, path, "%s", err)
			}
		}
		m := maskData{
			Who:       b.who(path+".who", r.Who, everyone()),
			Target:    b.target(path+".target", r.Target),
			Function:  r.Function,
			Args:      r.Args,
			Elsewhere: b.choice(r.Pos, path+".elsewhere", r.Elsewhere, ElsewhereRefuse, ElsewhereRefuse, ElsewhereMasked),
			Unmasked:  b.who(path+".unmasked", r.Unmasked, nobody()),
			Source:    r.Pos.String(),
		}
		if m.Args == nil {
			m.Args = map[string]any{}
		}
		m.Rank = unranked
		if rank, ok := b.set.Strictness[r.Function]; ok {
			m.Rank = rank
		}
		for _, tag := range b.known {
			if p.match(tag) {
				b.set.Masks[tag] = append(b.set.Masks[tag], m)
			}
		}
	}
}

func (b *dataBuilder) grants() {
	b.set.Grants = make([]grantData, 0, len(b.doc.Grants))
	b.set.GrantIndex = map[string]map[string][]int{}
	names := make(map[string]Position, len(b.doc.Grants))
	for i := range b.doc.Grants {
		r := &b.doc.Grants[i]
		path := r.Pos.path
		if r.Name == "" {
			b.faults.add(r.Pos, path+".name", "missing")
		} else if first, dup := names[r.Name]; dup {
			b.faults.add(r.Pos, path+".name", "%q is taken, by the grant at %s", r.Name, first)
		}
		names[r.Name] = r.Pos
		if r.Who == nil {
			b.faults.add(r.Pos, path+".who", "missing")
		}
		who := b.who(path+".who", r.Who, nobody())
		g := b.grant(path, r, who)
		b.indexGrant(i, who, g.Target)
		b.set.Grants = append(b.set.Grants, g)
	}
}

func (b *dataBuilder) grant(path string, r *GrantRule, who whoData) grantData {
	g := grantData{
		Name:         r.Name,
		Sources:      who.Sources,
		Target:       b.target(path+".target", r.Target),
		Classes:      b.classes(path, r),
		ExceptTables: b.nameSet(r.Pos, path+".except_tables", r.ExceptTables, true),
		Functions:    b.nameSet(r.Pos, path+".functions", r.Functions, false),
		Tables:       b.nameSet(r.Pos, path+".tables", r.Tables, false),
		Unmasked:     set{},
		Unrestricted: r.Unrestricted,
		Mode:         b.choice(r.Pos, path+".mode", r.Mode, b.set.Defaults.Mode, ModeEnforce, ModeObserve),
		Require:      slices.Concat([]string{}, r.Require),
		Limits:       b.limitRule(path+".limits", r.Limits, b.limits),
		AuditRank:    auditRank(b.choice(r.Pos, path+".audit", r.Audit, b.audit, AuditMetadata, AuditStatement, AuditFull)),
		Source:       r.Pos.String(),
	}
	g.Tables.All = g.Tables.All || len(r.Tables) == 0
	g.Functions.All = g.Functions.All || len(r.Functions) == 0
	g.Everything = g.Tables.All && len(r.ExceptTables) == 0
	g.Unmasks = len(r.Unmasked) > 0
	b.oneOf(r.Pos, path+".require", r.Require, RequireMFA, RequireTLS, RequireGrant)
	if r.Unrestricted && (!g.Tables.All || len(r.ExceptTables) > 0) {
		b.faults.add(r.Pos, path+".unrestricted",
			"cannot be combined with tables or except_tables: nobody knows which tables a statement reads that cannot be analysed")
	}
	if len(r.Functions) > 0 && !g.Classes["call"] {
		b.faults.add(r.Pos, path+".functions", "has no effect unless allow lists call")
	}
	for i, x := range r.Unmasked {
		p, err := tagPattern(x)
		if err != nil {
			b.faults.add(r.Pos, fmt.Sprintf("%s.unmasked[%d]", path, i), "an empty name")
			continue
		}
		g.UnmaskedAll = g.UnmaskedAll || p.any()
		for _, tag := range b.known {
			if p.match(tag) {
				g.Unmasked[tag] = true
			}
		}
	}
	return g
}

func (b *dataBuilder) classes(path string, r *GrantRule) set {
	if len(r.Allow) == 0 {
		b.faults.add(r.Pos, path+".allow", "missing")
	}
	known := classNames()
	if slices.Contains(r.Allow, "*") {
		return setOf(known)
	}
	b.oneOf(r.Pos, path+".allow", r.Allow, append(known, "*")...)
	return setOf(r.Allow)
}

// indexGrant files a grant under its principals and the narrowest part of its
// target.
func (b *dataBuilder) indexGrant(i int, who whoData, target targetSet) {
	keys := []string{"*"}
	if len(target.Datasources) > 0 {
		keys = prefixed("datasource:", target.Datasources)
	} else if len(target.Projects) > 0 {
		keys = prefixed("project:", target.Projects)
	}
	for _, k := range keys {
		if b.set.GrantIndex[k] == nil {
			b.set.GrantIndex[k] = map[string][]int{}
		}
		for p := range who.Principals {
			b.set.GrantIndex[k][p] = append(b.set.GrantIndex[k][p], i)
		}
	}
}

func prefixed(prefix string, names set) []string {
	list := make([]string, 0, len(names))
	for x := range names {
		list = append(list, prefix+x)
	}
	return list
}

func (b *dataBuilder) rowFilters() {
	b.set.RowFilters = make([]rowFilterData, 0, len(b.doc.RowFilters))
	b.set.RowFilterIndex = map[string]map[string][]int{}
	b.set.RowFilterPatterns = []int{}
	for i := range b.doc.RowFilters {
		r := &b.doc.RowFilters[i]
		path := r.Pos.path
		if r.Table == "" {
			b.faults.add(r.Pos, path+".table", "missing")
			continue
		}
		if r.Expression == "" {
			b.faults.add(r.Pos, path+".expression", "missing")
		}
		f := rowFilterData{
			Tables:     b.nameSet(r.Pos, path+".table", []string{r.Table}, true),
			Who:        b.who(path+".who", r.Who, everyone()),
			Except:     b.who(path+".except", r.Except, nobody()),
			Target:     b.target(path+".target", r.Target),
			Expression: r.Expression,
			Source:     r.Pos.String(),
		}
		id := len(b.set.RowFilters)
		b.set.RowFilters = append(b.set.RowFilters, f)
		if len(f.Tables.Exact) == 0 {
			b.set.RowFilterPatterns = append(b.set.RowFilterPatterns, id)
		}
		for schema, tables := range f.Tables.Exact {
			if b.set.RowFilterIndex[schema] == nil {
				b.set.RowFilterIndex[schema] = map[string][]int{}
			}
			for t := range tables {
				b.set.RowFilterIndex[schema][t] = append(b.set.RowFilterIndex[schema][t], id)
			}
		}
	}
}

func (b *dataBuilder) readOnly() {
	b.set.ReadOnly = make([]readOnlyData, 0, len(b.doc.ReadOnly))
	for i := range b.doc.ReadOnly {
		r := &b.doc.ReadOnly[i]
		path := r.Pos.path
		if r.Who == nil {
			b.faults.add(r.Pos, path+".who", "missing")
		}
		b.set.ReadOnly = append(b.set.ReadOnly, readOnlyData{
			Who:    b.who(path+".who", r.Who, nobody()),
			Target: b.target(path+".target", r.Target),
		})
	}
}
