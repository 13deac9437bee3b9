package random

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// remember keeps digests of what side a answered.
func (r *run) remember(n int, steps []Step, out *outcome) {
	if r.answers == nil {
		r.answers = map[int][]string{}
	}
	r.answers[n] = digests(steps, out)
}

// digests are of each step's answer. EXPLAIN speaks of sizes, which change, and
// after a write rows may come in another order.
func digests(steps []Step, out *outcome) []string {
	list := make([]string, len(out.a))
	for i, a := range out.a {
		h := sha256.New()
		frames := a.frames
		if steps[i].Unordered {
			frames = sorted(frames)
		}
		for _, f := range frames {
			fmt.Fprintf(h, "%c%d:%s", f.kind, len(f.body), f.body)
		}
		list[i] = a.state
		if !strings.HasPrefix(steps[i].Text(), "EXPLAIN") {
			list[i] += fmt.Sprintf(" %.8x", h.Sum(nil))
		}
	}
	return list
}

// cold runs steps in other texts of the same meaning, of which nothing is kept.
// If they are answered as the warm ones, it was the server that chose another
// plan: tables grow by writes that are rolled back.
func (r *run) cold(ctx context.Context, steps []Step) ([]string, error) {
	if err := r.align(ctx); err != nil {
		return nil, err
	}
	r.cooled++
	other := slices.Clone(steps)
	for i := range other {
		if text := other[i].text(); text != "" {
			other[i] = other[i].with(fmt.Sprintf("%s /* %d */", text, r.cooled))
		}
	}
	out, err := r.all(ctx, other, r.w.A, r.w.B)
	if err != nil {
		return nil, err
	}
	return digests(steps, out), nil
}

// again repeats the sessions that were remembered, the last one first.
func (r *run) again(ctx context.Context) error {
	numbers := slices.Sorted(maps.Keys(r.answers))
	slices.Reverse(numbers)
	coverage := maps.Clone(r.gen.Coverage)
	for _, n := range numbers {
		if err := r.align(ctx); err != nil {
			return err
		}
		s := r.gen.Session(n)
		out, err := r.all(ctx, s.Steps, r.w.A, r.w.B)
		if err != nil {
			return err
		}
		if out.timedOut {
			continue
		}
		before, now := r.answers[n], digests(s.Steps, out)
		for i := range min(len(before), len(now)) {
			r.sum.Repeated++
			if before[i] == now[i] {
				continue
			}
			cold, err := r.cold(ctx, s.Steps)
			if err != nil {
				return err
			}
			if i >= len(cold) || cold[i] != now[i] {
				r.sum.Changed = append(r.sum.Changed, Change{n, i, s.Steps[i].Text(), before[i], now[i]})
			}
			break
		}
	}
	clear(r.answers)
	clear(r.gen.Coverage)
	maps.Copy(r.gen.Coverage, coverage)
	return nil
}
