package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/weirdb/weir/deploy/weirserver"
)

// doorPassword is the analyst's at weir, which lives on loopback for minutes.
const doorPassword = "a password of no worth"

// startWeir starts weir in front of both sides, each as the analyst and as a
// superuser.
func startWeir(ctx context.Context, binary, folder string, d *databases, elsewhere string) (*weirserver.Server, error) {
	sources := ""
	for _, side := range []string{sideA, sideB} {
		for suffix, user := range map[string]string{"": analyst, superSuffix: superuser} {
			sources += fmt.Sprintf("  - {name: %s, database: %s, project: leaks, address: \"%s:%d\", user: %s, password: %s, tls: {mode: disable}}\n",
				databaseOf(side)+suffix, databaseOf(side), trusted, d.server.Port, user, d.passwords[user])
		}
	}
	return weirserver.Start(ctx, weirserver.Options{Binary: binary, Folder: folder, Listener: "self_signed: true, plaintext: true",
		Datasources: sources, More: "limits: {drain: 5s, connections_per_user: 500}\nlog: {level: warn}\n",
		Policy: d.policy(elsewhere), Groups: []string{"analysts"},
		People: []weirserver.Person{{Name: analyst, Group: "analysts", Password: doorPassword}}})
}

// through is the way to a side through weir.
func through(w *weirserver.Server, d *databases, side string, super bool) door {
	database := databaseOf(side)
	if super {
		database += superSuffix
	}
	return door{host: "127.0.0.1", port: w.Port, user: analyst, password: doorPassword, database: database}
}

// ask runs a case on a side.
func (d *databases) ask(ctx context.Context, side string, way door, t *testCase, steps []step) answer {
	if err := d.before(ctx, side, t.Before); err != nil {
		return answer{{kind: kindClosed, body: []byte("before: " + err.Error())}}
	}
	a := d.pool.run(ctx, way, t, steps)
	a.normalise(d.newest, t.Norm)
	return a
}

// askBoth runs a case on both sides: at once, or one after the other.
func (d *databases) askBoth(ctx context.Context, t *testCase, steps []step, atOnce bool, way func(side string) door) (a, b answer) {
	if !atOnce || t.needs("superuser") {
		return d.ask(ctx, sideA, way(sideA), t, steps), d.ask(ctx, sideB, way(sideB), t, steps)
	}
	var wg sync.WaitGroup
	wg.Go(func() { a = d.ask(ctx, sideA, way(sideA), t, steps) })
	wg.Go(func() { b = d.ask(ctx, sideB, way(sideB), t, steps) })
	wg.Wait()
	return a, b
}
