package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weirdb/weir/query"
)

// dataFile is one file of policy data.
type dataFile struct {
	Name string
	Data []byte
}

// policyData is policy data, read and checked.
type policyData struct {
	doc  Document
	set  dataset
	tags *tagIndex
	// knownTags are all tags that a tag rule gives or a mask rule names, sorted.
	knownTags []string
}

// readData reads and merges policy data. shipped holds the lists that a document
// may ask for. All faults are reported at once, as *DataError.
func readData(files []dataFile, shipped *Document, masks MaskValidator) (*policyData, error) {
	var fs faults
	var doc Document
	for _, f := range files {
		var d Document
		decodeYAML(f.Name, f.Data, &d, &fs)
		if d.Version != DataVersion && len(fs.list) == 0 {
			fs.add(Position{File: f.Name, Line: 1}, "version", "want %d, not %d", DataVersion, d.Version)
		}
		mergeDocument(&doc, &d, &fs)
	}
	if shipped != nil && slices.Contains(doc.Shipped, "tags") {
		doc.Tags = append(doc.Tags, shipped.Tags...)
	}
	if shipped != nil && slices.Contains(doc.Shipped, "masks") {
		doc.Masks = append(doc.Masks, shipped.Masks...)
	}
	b := dataBuilder{doc: &doc, faults: &fs, masks: masks, tags: newTagIndex()}
	b.build()
	sortFaults(fs.list)
	if err := fs.err(); err != nil {
		return nil, err
	}
	return &policyData{doc: doc, set: b.set, tags: b.tags, knownTags: b.known}, nil
}

// mergeDocument appends d to doc.
func mergeDocument(doc, d *Document, fs *faults) {
	doc.Version = d.Version
	doc.Shipped = append(doc.Shipped, d.Shipped...)
	if d.Defaults != nil && doc.Defaults != nil {
		fs.add(d.Defaults.Pos, "defaults", "given twice, first at %s", doc.Defaults.Pos)
	} else if d.Defaults != nil {
		doc.Defaults = d.Defaults
	}
	for _, name := range slices.Sorted(maps.Keys(d.Projects)) {
		if first, dup := doc.Projects[name]; dup {
			fs.add(d.Projects[name].Pos, join("projects", name), "given twice, first at %s", first.Pos)
			continue
		}
		if doc.Projects == nil {
			doc.Projects = map[string]Project{}
		}
		doc.Projects[name] = d.Projects[name]
	}
	doc.Grants = append(doc.Grants, d.Grants...)
	doc.Tags = append(doc.Tags, d.Tags...)
	doc.Masks = append(doc.Masks, d.Masks...)
	doc.RowFilters = append(doc.RowFilters, d.RowFilters...)
	doc.ReadOnly = append(doc.ReadOnly, d.ReadOnly...)
}

// classNames are the classes that a grant may allow.
func classNames() []string {
	classes := []query.Class{query.ClassRead, query.ClassWrite, query.ClassDDL, query.ClassDCL, query.ClassTransaction,
		query.ClassSession, query.ClassCall, query.ClassCopy, query.ClassExplain, query.ClassAdmin, query.ClassUnknown}
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = string(c)
	}
	return names
}

// dataBuilder turns a document into a dataset.
type dataBuilder struct {
	doc    *Document
	faults *faults
	masks  MaskValidator
	set    dataset
	tags   *tagIndex
	known  []string
	limits limitsData // defaults
	audit  string     // default
}

func (b *dataBuilder) build() {
	b.oneOf(Position{}, "shipped", b.doc.Shipped, "tags", "masks")
	b.defaults()
	b.projects()
	b.tagRules()
	b.maskRules()
	b.grants()
	b.rowFilters()
	b.readOnly()
}

func (b *dataBuilder) oneOf(pos Position, path string, list []string, known ...string) {
	for _, x := range list {
		if !slices.Contains(known, x) {
			b.faults.add(pos, path, "%q is not known; known are %s", x, strings.Join(known, ", "))
		}
	}
}

// choice returns x, or def if x is empty.
func (b *dataBuilder) choice(pos Position, path, x, def string, known ...string) string {
	if x == "" {
		return def
	}
	b.oneOf(pos, path, []string{x}, known...)
	return x
}

func (b *dataBuilder) defaults() {
	d := b.doc.Defaults
	if d == nil {
		d = &Defaults{}
	}
	b.limits = b.limitRule("defaults.limits", d.Limits, limitsData{})
	b.audit = b.choice(d.Pos, "defaults.audit", d.Audit, AuditStatement, AuditMetadata, AuditStatement, AuditFull)
	b.set.Defaults = defaultsData{
		Mode:      b.choice(d.Pos, "defaults.mode", d.Mode, ModeEnforce, ModeEnforce, ModeObserve),
		AuditRank: auditRank(b.audit),
	}
	b.set.Strictness = map[string]int{}
	for i, f := range strictness() {
		b.set.Strictness[f] = i
	}
}

func (b *dataBuilder) limitRule(path string, l *LimitRule, def limitsData) limitsData {
	if l == nil {
		return def
	}
	take := func(key string, p *int64, into *int64) {
		if p == nil {
			return
		}
		if *p < 0 {
			b.faults.add(l.Pos, join(path, key), "want 0 (no limit) or more")
		}
		*into = *p
	}
	take("rows", l.Rows, &def.Rows)
	take("seconds", l.Seconds, &def.Seconds)
	return def
}

func (b *dataBuilder) projects() {
	b.set.Projects = map[string]set{}
	for name, p := range b.doc.Projects {
		if len(p.Datasources) == 0 {
			b.faults.add(p.Pos, join("projects", name+".datasources"), "missing")
		}
		b.set.Projects[name] = b.names(p.Pos, join("projects", name+".datasources"), p.Datasources)
	}
}

// names checks a list of plain names.
func (b *dataBuilder) names(pos Position, path string, list []string) set {
	for i, x := range list {
		if x == "" {
			b.faults.add(pos, path, "an empty name")
		}
		if slices.Contains(list[:i], x) && len(list) < 1000 {
			b.faults.add(pos, path, "%q is listed twice", x)
		}
	}
	return setOf(list)
}

func (b *dataBuilder) target(path string, t *TargetRule) targetSet {
	if t == nil {
		t = &TargetRule{}
	}
	s := targetSet{
		Projects:     b.names(t.Pos, path+".projects", t.Projects),
		Datasources:  b.names(t.Pos, path+".datasources", t.Datasources),
		Environments: b.names(t.Pos, path+".environments", t.Environments),
		Databases:    b.names(t.Pos, path+".databases", t.Databases),
	}
	s.Everywhere = len(s.Projects)+len(s.Datasources)+len(s.Environments)+len(s.Databases) == 0
	if len(b.doc.Projects) == 0 {
		return s
	}
	for _, p := range t.Projects {
		if _, ok := b.doc.Projects[p]; !ok {
			b.faults.add(t.Pos, path+".projects", "no project %q under projects", p)
		}
	}
	for _, d := range t.Datasources {
		if !b.inProjects(t.Projects, d) {
			b.faults.add(t.Pos, path+".datasources", "no project under projects that this rule reaches has a datasource %q", d)
		}
	}
	return s
}

func (b *dataBuilder) inProjects(projects []string, datasource string) bool {
	for name, p := range b.doc.Projects {
		if (len(projects) == 0 || slices.Contains(projects, name)) && slices.Contains(p.Datasources, datasource) {
			return true
		}
	}
	return false
}

// everyone is who is meant where a rule does not say.
func everyone() whoData { return whoData{Principals: set{"everyone": true}, Sources: set{}} }

// nobody has no principals.
func nobody() whoData { return whoData{Principals: set{}, Sources: set{}} }

func (b *dataBuilder) who(path string, w *Who, absent whoData) whoData {
	if w == nil {
		return absent
	}
	s := whoData{Principals: set{}, Sources: b.names(w.Pos, path+".sources", w.Sources)}
	if w.Everyone {
		s.Principals["everyone"] = true
	}
	add := func(kind, key string, list []string) {
		for x := range b.names(w.Pos, path+"."+key, list) {
			k := kind
			if kind == "user" && strings.Contains(x, "|") {
				k = "user_id"
			}
			s.Principals[k+":"+x] = true
		}
	}
	add("user", "users", w.Users)
	add("group", "groups", w.Groups)
	add("project_role", "project_roles", w.ProjectRoles)
	add("global_role", "global_roles", w.GlobalRoles)
	if len(s.Principals) == 0 {
		b.faults.add(w.Pos, path, "names nobody; list users, groups, project_roles or global_roles, or say everyone: true")
	}
	return s
}

// nameSet reads patterns of two parts.
func (b *dataBuilder) nameSet(pos Position, path string, list []string, fold bool) nameSet {
	s := nameSet{Exact: map[string]set{}, Schemas: set{}, Patterns: []nameGlob{}}
	for i, x := range list {
		parts, err := dotted(x, 2, false, fold)
		if err != nil {
			b.faults.add(pos, fmt.Sprintf("%s[%d]", path, i), "%q: %s", x, err)
			continue
		}
		schema, name := parts[0], parts[1]
		switch {
		case schema.any() && name.any():
			s.All = true
		case schema.literal && name.literal:
			if s.Exact[schema.text] == nil {
				s.Exact[schema.text] = set{}
			}
			s.Exact[schema.text][name.text] = true
		case schema.literal && name.any():
			s.Schemas[schema.text] = true
		default:
			s.Patterns = append(s.Patterns, nameGlob{Schema: regoGlob(schema), Name: regoGlob(name)})
		}
	}
	return s
}

// regoGlob escapes what only Rego's glob.match takes as special.
func regoGlob(p pattern) string {
	special := `\[]{}!`
	if p.literal {
		special += "*?"
	}
	var b strings.Builder
	for _, r := range p.text {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
