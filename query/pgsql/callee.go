package pgsql

import (
	"slices"
	"strings"
	"sync"

	"github.com/weirdb/weir/query"
)

// safety classifies a function, with those that the configuration trusts.
func (r *run) safety(f *Function) Safety {
	if r.an.safe[f.Schema+"."+f.Name] {
		return Pure
	}
	return r.cat.Safety(f)
}

// callOne evaluates a call of one function.
func (r *run) callOne(site callSite, f *Function) value {
	args := derive(site.args...)
	fact := query.Function{Schema: f.Schema, Name: f.Name, Pos: r.offset(site.pos)}
	full := f.Schema + "." + f.Name
	if !cannotFail(f) && (len(args.deps) > 0 || f.Volatile == 'v') {
		r.rec.fails("function " + full)
	}
	if f.Volatile == 'v' {
		r.volatiles++
		r.acc.byOrder = true // numbers, times and chance come to rows as they are met
	}
	safety := r.safety(f)
	if safety.Safe() {
		fact.Safe = true
		r.function(fact)
		if f.ReturnsSet {
			r.use(args, query.UseDerived) // the number of rows, whoever reads them
		}
		return r.result(f, site, args)
	}
	if safety == Unknown {
		if v, ok := r.follow(f, site); ok {
			// What it reads and calls is in the facts, so nothing is left
			// that policy would have to trust.
			fact.Safe = true
			r.function(fact)
			for _, a := range site.args {
				if !a.direct && a.row == nil {
					r.use(a, query.UseDerived) // computed whatever the body does with it
				}
			}
			v.followed = true
			return v
		}
	}
	r.function(fact)
	if r.cat.MayWrite(f) {
		r.write("function", full, site.pos)
	}
	switch safety {
	case Writes: // has an effect but tells nothing, except of large objects
		if strings.HasPrefix(f.Name, "lo_") && f.Schema == "pg_catalog" {
			r.gap(site.pos, "function "+full+" tells of a large object")
		}
	case Reads:
		r.gap(site.pos, "function "+full+" tells of stored data")
	case Runs:
		r.gap(site.pos, "function "+full+" runs what its arguments name")
	case Files:
		r.gap(site.pos, "function "+full+" reaches files or other hosts")
	default:
		r.gap(site.pos, "function "+full+" is not known to be safe")
	}
	args = args.with(query.UseCall)
	if r.acc.sink == nil { // else it is up to who reads the view's column
		r.use(args, query.UseCall)
	}
	return r.result(f, site, args)
}

// catalogRelation notes a relation of the server itself.
func (r *run) catalogRelation(rel *Relation, pos int32) {
	if sensitive, why := CatalogRelation(rel.Schema, rel.Name); sensitive {
		r.gap(pos, "relation "+rel.Schema+"."+rel.Name+" cannot be shown: "+why)
	}
}

// hideColumns puts a gap on the columns of a catalog that must not be shown.
func (r *run) hideColumns(item *rangeItem) *rangeItem {
	rel := item.relation
	if !Builtin(rel.Schema) {
		return item
	}
	if sensitive, _ := CatalogRelation(rel.Schema, rel.Name); sensitive {
		return item // a gap already
	}
	for i := range item.cols {
		c := &item.cols[i]
		if rel.Name == "pg_attribute" && c.name == "attmissingval" {
			r.missingValues(c)
		}
		if sensitive, why := CatalogColumn(rel.Schema, rel.Name, c.name); sensitive {
			c.value.gaps = []pendingGap{{reason: "column " + rel.Schema + "." + rel.Name + "." + c.name + " cannot be shown: " + why}}
		}
	}
	return item
}

// missingValues says what pg_attribute.attmissingval shows: of some columns,
// the value that rows have from before the column was added.
func (r *run) missingValues(c *column) {
	look := r.cc.lookups()
	if look.partial {
		c.value.gaps = []pendingGap{{reason: "column pg_catalog.pg_attribute.attmissingval cannot be shown while definitions change"}}
		return
	}
	c.value.deps = mergeDeps(c.value.deps, look.missing)
}

// lookups are indexes over a catalog, made when first needed.
type lookups struct {
	once      sync.Once
	arrayType map[uint32]uint32
	casts     map[[2]uint32]bool
	// missing are the columns with values in the catalog; partial is set where
	// some relations could not be read.
	missing []dep
	partial bool
}

func (c *catalogCache) lookups() *lookups {
	c.look.once.Do(func() {
		c.look.arrayType = map[uint32]uint32{}
		for _, t := range c.catalog.Types {
			if t.Elem != 0 && t.Kind == 'b' && t.OID != 22 && t.OID != 30 { // int2vector and oidvector are no arrays of theirs
				c.look.arrayType[t.Elem] = t.OID
			}
		}
		c.look.partial = c.catalog.partial()
		for _, rel := range c.catalog.Relations {
			for i := range rel.Columns {
				if rel.Columns[i].Missing {
					c.look.missing = append(c.look.missing, dep{rel: rel.OID, attr: rel.Columns[i].Attr, uses: query.UseDerived, pos: -1})
				}
			}
		}
		slices.SortFunc(c.look.missing, dep.compare)
		c.look.casts = make(map[[2]uint32]bool, len(c.catalog.Casts))
		for _, k := range c.catalog.Casts {
			c.look.casts[[2]uint32{k.Source, k.Target}] = true
		}
	})
	return &c.look
}

// arrays maps a type to the array type over it.
func (c *catalogCache) arrays() map[uint32]uint32 { return c.lookups().arrayType }

// casts holds the source and target of every cast that is not built in.
func (c *catalogCache) casts() map[[2]uint32]bool { return c.lookups().casts }
