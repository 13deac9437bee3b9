package audit

import "testing"

// TestSettled: one listing of a directory in use may lack what was made or
// renamed meanwhile.
func TestSettled(t *testing.T) {
	of := func(nums ...int) []segment {
		var segs []segment
		for _, n := range nums {
			segs = append(segs, segment{num: n})
		}
		return segs
	}
	for name, c := range map[string]struct {
		before, segs []segment
		want         bool
	}{
		"nothing":           {of(), of(), true},
		"the same":          {of(1, 2, 3), of(1, 2, 3), true},
		"a gap twice":       {of(1, 2, 4), of(1, 2, 4), true},
		"newer ones":        {of(1, 2), of(1, 2, 3, 4), true},
		"a gap filled":      {of(1, 2, 4), of(1, 2, 3, 4), true},
		"a gap now":         {of(1, 2, 3), of(1, 2, 4), false},
		"newer with a gap":  {of(1, 2), of(1, 2, 4), false},
		"the first missing": {of(1, 2, 3), of(2, 3), false},
		"the first found":   {of(2, 3), of(1, 2, 3), false},
		"the first of all":  {of(), of(1), false},
	} {
		if got := settled(c.before, c.segs); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
