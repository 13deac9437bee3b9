package pgsql

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Most of what a catalog holds comes with the server, and is read again only
// if it has changed: a change of a definition should not cost more than what
// people have defined.

// objects are those whose parts are read at a time.
type objects bool

const (
	ownObjects     objects = false // of people, and of extensions
	builtinObjects objects = true  // of initdb: OIDs below FirstNormalObjectId
)

// where is the condition on an OID.
func (o objects) where(oid string) string {
	if o == builtinObjects {
		return " AND NOT " + oid + " > '16383'::pg_catalog.oid"
	}
	return " AND " + oid + " > '16383'::pg_catalog.oid"
}

// builtins is what a catalog has from initdb. Nothing in it is ever changed.
type builtins struct {
	signature string
	digest    []byte
	relations []*Relation
	types     []*Type
	functions []*Function
	operators []*Operator
}

// readBuiltins takes the server's own objects over from the last catalog if
// they are still the same, and reads them otherwise.
func (l *loader) readBuiltins(ctx context.Context) error {
	own := l.digest
	l.digest = sha256.New()
	signature := ""
	if err := l.each(ctx, sqlBuiltins, 1, func(r *catalogRow) { signature = r.str(0) }); err != nil {
		return err
	}
	locked := slices.ContainsFunc(l.locked, func(oid uint32) bool { return oid < firstNormalOID })
	if b := l.builtinsOf(signature); b != nil && !locked {
		own.Write(b.digest)
		l.digest, l.c.builtins = own, b
		l.take(b)
		return nil
	}
	l.digest = sha256.New()
	l.objects = builtinObjects
	for _, read := range []func(context.Context) error{l.relations, l.columns, l.types, l.readFunctions, l.readOperators} {
		if err := read(ctx); err != nil {
			return err
		}
	}
	l.objects = ownObjects
	b := &builtins{signature: signature, digest: l.digest.Sum(nil), functions: l.functions, operators: l.operators}
	for _, rel := range l.c.Relations {
		b.relations = append(b.relations, rel)
	}
	for _, t := range l.c.Types {
		b.types = append(b.types, t)
	}
	own.Write(b.digest)
	l.digest = own
	if !locked { // else some are missing
		l.c.builtins = b
	}
	l.take(b)
	return nil
}

func (l *loader) builtinsOf(signature string) *builtins {
	if l.prev == nil || l.prev.builtins == nil || l.prev.builtins.signature != signature ||
		l.prev.ServerVersion != l.c.ServerVersion || l.prev.Database != l.c.Database {
		return nil
	}
	return l.prev.builtins
}

// take puts copies into the catalog of what later parts add to.
func (l *loader) take(b *builtins) {
	for _, rel := range b.relations {
		c := *rel
		l.c.Relations[c.OID] = &c
	}
	for _, t := range b.types {
		c := *t
		l.c.Types[c.OID] = &c
	}
	l.functions, l.operators = slices.Clip(b.functions), slices.Clip(b.operators)
}

// sqlBuiltins changes whenever an object of initdb does: each row counts with
// its identity and the transaction that wrote it.
var sqlBuiltins = func() string {
	sum := func(from, oid, id string) string {
		return fmt.Sprintf(`(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hash_record_extended(ROW(%s, x.xmin), 0))) FROM pg_catalog.%s x WHERE NOT %s > '16383'::pg_catalog.oid)`, id, from, oid)
	}
	return `SELECT pg_catalog.concat_ws(' ', ` + strings.Join([]string{
		sum("pg_namespace", "x.oid", "x.oid"),
		sum("pg_class", "x.oid", "x.oid"),
		sum("pg_attribute", "x.attrelid", "x.attrelid, x.attnum"),
		sum("pg_attrdef", "x.adrelid", "x.oid"),
		sum("pg_type", "x.oid", "x.oid"),
		sum("pg_proc", "x.oid", "x.oid"),
		sum("pg_operator", "x.oid", "x.oid"),
		sum("pg_language", "x.oid", "x.oid"),
		sum("pg_collation", "x.oid", "x.oid"),
		sum("pg_rewrite", "x.ev_class", "x.oid"),
		sum("pg_trigger", "x.tgrelid", "x.oid"),
		`(SELECT pg_catalog.string_agg(pg_catalog.concat(x.oid, x.rolname), ' ' ORDER BY x.oid) FROM pg_catalog.pg_roles x WHERE NOT x.oid::pg_catalog.int8 > 16383)`,
		sum("pg_depend", "x.objid", "x.classid, x.objid, x.refobjid, x.deptype"),
	}, ",\n") + `)`
}()
