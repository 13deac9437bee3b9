package gate

import (
	"slices"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
)

// commonMask is what hides both columns of a result column that is made of two:
// the one mask if they have the same, NULL if theirs are different constants,
// else nil.
func commonMask(a, b *policy.Mask) *policy.Mask {
	switch {
	case sameMask(a, b):
		return a
	case isConstant(a) && isConstant(b):
		return &policy.Mask{Function: "null"}
	}
	return nil
}

func isConstant(m *policy.Mask) bool {
	return slices.ContainsFunc(masking.Functions(), func(f masking.Info) bool { return f.Name == m.Function && f.Constant })
}
