package random

import "fmt"

// target is a table whose rows a transaction gives back, and a column of it.
func (g *Generator) target() (*Relation, *Column) {
	for range 50 {
		r := one(g, g.catalog.Relations)
		if r.View || r.Engine != "InnoDB" {
			continue
		}
		c := one(g, r.Columns)
		if !c.Generated && (!c.Secret || g.secrets()) {
			return r, c
		}
	}
	return nil, nil
}

// write changes rows, looks at them, and takes the change back.
func (g *Generator) write() {
	r, c := g.target()
	if r == nil {
		return
	}
	g.frame("START TRANSACTION")
	l := &level{sources: []*source{{alias: quote(r.Name), columns: r.Columns}}}
	returning := form(fixed, "")
	if g.chance(40) {
		g.hit("write.returning")
		returning = form(optional, " RETURNING #", g.output(l))
	}
	switch g.rng.IntN(5) {
	case 0:
		g.hit("write.update")
		g.send(form(fixed, "UPDATE "+r.qualified()+" SET "+quote(c.Name)+" = # WHERE #", g.expr(l, 2), g.expr(l, 2)))
	case 1:
		g.hit("write.delete")
		g.send(form(fixed, "DELETE FROM "+r.qualified()+" WHERE ##", g.expr(l, 3), returning))
	case 2:
		g.hit("write.insert_select")
		g.send(form(fixed, "INSERT IGNORE INTO "+r.qualified()+" ("+quote(c.Name)+") SELECT ##", g.narrowBody(), returning))
	case 3:
		g.hit("write.insert")
		g.send(form(fixed, "INSERT INTO shop.pad (k, n) VALUES (#, #) ON DUPLICATE KEY UPDATE n = ##", g.expr(&level{}, 2), g.expr(&level{}, 2), g.expr(&level{}, 2), leaf("")))
	default:
		g.hit("write.multi")
		o := g.table(!g.secrets())
		l.sources = append(l.sources, &source{alias: "o", columns: o.Columns})
		g.send(form(fixed, "UPDATE "+r.qualified()+", "+o.qualified()+" AS o SET "+quote(r.Name)+"."+quote(c.Name)+" = # WHERE #", g.expr(l, 2), g.equal(l)))
	}
	if g.chance(60) {
		g.text(leaf(one(g, []string{"SELECT ROW_COUNT()", "SHOW WARNINGS", "SELECT LAST_INSERT_ID()"})))
	}
	if g.chance(50) {
		g.send(leaf(fmt.Sprintf("SELECT COUNT(*) FROM %s", r.qualified())))
	}
	g.frame("ROLLBACK")
}

// narrowBody is a SELECT of one column without its first word.
func (g *Generator) narrowBody() *node {
	n, _ := g.bodyOf(nil, 1)
	return n
}

// temporary makes a temporary table from a query, for this session.
func (g *Generator) temporary() {
	name := fmt.Sprintf("temp%d", len(g.temps))
	body := g.body(nil)
	g.text(form(fixed, "CREATE TEMPORARY TABLE shop."+name+" AS SELECT #", body))
	g.temps = append(g.temps, &Relation{Schema: "shop", Name: name, Columns: g.columnsOf(body)})
	g.send(leaf("SELECT * FROM shop." + name))
}
