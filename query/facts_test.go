package query

import (
	"slices"
	"testing"
)

func TestUseNames(t *testing.T) {
	for _, c := range []struct {
		use  Use
		want []string
	}{
		{0, []string{}},
		{UseOutput | UseFilter, []string{"output", "filter"}},
		{UseAssign, []string{"write"}},
		{UseAssign | UseWrite | UseCall, []string{"write", "call"}},
		{UseAll, useNames[:]},
	} {
		if got := c.use.Names(); !slices.Equal(got, c.want) {
			t.Errorf("%b: %v, want %v", c.use, got, c.want)
		}
	}
	for bit := UseOutput; bit <= UseAssign; bit <<= 1 {
		if UseAll&bit == 0 {
			t.Errorf("UseAll lacks %b", bit)
		}
	}
}
