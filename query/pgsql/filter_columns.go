package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// FilterColumns are the names of the columns that a row filter mentions, sorted,
// without their tables; "*" stands for all. The error is that of CheckFilter.
func FilterColumns(expr string) ([]string, error) {
	cond, err := parseFilter(expr)
	if err != nil {
		return nil, err
	}
	var names []string
	each(cond.ProtoReflect(), func(m protoreflect.Message) bool {
		ref, ok := m.Interface().(*pg.ColumnRef)
		if !ok || len(ref.Fields) == 0 {
			return true
		}
		last := ref.Fields[len(ref.Fields)-1]
		if last.GetAStar() != nil {
			names = append(names, "*")
		} else {
			names = append(names, last.GetString_().GetSval())
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names), nil
}
