package main

import (
	"context"
	"io"

	"github.com/weirdb/weir/bench/leaks/mariadb"
)

// runMariaDB runs all modes on MariaDB.
func runMariaDB(ctx context.Context, o options, sel selection, folder string, progress io.Writer) ([]*phase, error) {
	c, err := mariadb.OpenCorpus(o.corpus)
	if err != nil {
		return nil, err
	}
	list, err := mariadb.Run(ctx, mariadb.Options{Weir: o.weir, Folder: folder, Corpus: c, Modes: o.modes, Pattern: sel.pattern,
		Narrow: sel.breadth == narrow, Sample: sel.sample, Unchecked: sel.unchecked, Progress: progress,
		Chance: mariadb.Chance{Statements: o.chance.statements, Time: o.chance.time, Seed: o.chance.seed, First: o.chance.first}})
	if err != nil {
		return nil, err
	}
	var phases []*phase
	for _, p := range list {
		out := &phase{Server: p.Server, Elsewhere: p.Elsewhere, Seconds: p.Seconds, ByChance: p.ByChance}
		for _, r := range p.Results {
			out.Results = append(out.Results, result{Case: r.Case, Family: r.Family, Everyday: r.Everyday, Form: form(r.Form), Outcome: r.Outcome, How: r.How,
				Difference: r.Difference, Statements: r.Statements})
		}
		phases = append(phases, out)
	}
	return phases, nil
}
