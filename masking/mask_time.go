package masking

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// dateUnits are the units of date_trunc from coarse to fine.
var dateUnits = []string{"year", "quarter", "month", "week", "day", "hour", "minute"}

type truncBuilder struct{ unit string }

func parseDateTrunc(a *arguments) builder {
	if !a.required("unit") {
		return truncBuilder{}
	}
	return truncBuilder{a.choice("unit", "", dateUnits...)}
}

func (b truncBuilder) check(t Type) error {
	at, day := slices.Index(dateUnits, b.unit), slices.Index(dateUnits, "day")
	switch t.Kind {
	case KindDate:
		if at >= day {
			return fmt.Errorf("unit %q would leave the date as it is; what changes it: %s", b.unit, strings.Join(dateUnits[:day], ", "))
		}
	case KindTime, KindTimeTZ:
		if at <= day {
			return fmt.Errorf("a time has no %s; units of a time: %s", b.unit, strings.Join(dateUnits[day+1:], ", "))
		}
	}
	return nil
}

func (b truncBuilder) build(t Type, _ *Keys) (mask, error) {
	return &dateTrunc{kind: t.Kind, unit: b.unit}, nil
}

// dateTrunc goes back to the beginning of a unit, in UTC for KindTimestampTZ.
type dateTrunc struct {
	kind Kind
	unit string
}

func (m *dateTrunc) apply(v *value, _ Row) bool {
	switch m.unit {
	case "hour":
		v.n = floorDiv(v.n, microsHour) * microsHour
		return true
	case "minute":
		v.n = floorDiv(v.n, microsMinute) * microsMinute
		return true
	}
	if m.kind == KindDate {
		v.n = truncDay(v.n, m.unit)
		return true
	}
	v.n = truncDay(floorDiv(v.n, microsDay), m.unit) * microsDay
	return true
}

// monday is 2000-01-03.
const monday = 2

func truncDay(days int64, unit string) int64 {
	year, month, _ := civil(days)
	switch unit {
	case "year":
		return dayNumber(year, 1, 1)
	case "quarter":
		return dayNumber(year, (month-1)/3*3+1, 1)
	case "month":
		return dayNumber(year, month, 1)
	case "week":
		return floorDiv(days-monday, 7)*7 + monday
	}
	return days
}

type shiftBuilder struct {
	days    int
	subject string
}

func parseDateShift(a *arguments) builder {
	b := shiftBuilder{days: a.integer("days", 30, 1, 36500)}
	if a.required("subject") {
		b.subject = a.text("subject", "")
	}
	return b
}

func (shiftBuilder) check(Type) error { return nil }

func (b shiftBuilder) build(t Type, keys *Keys) (mask, error) {
	return &dateShift{keyed: newKeyed(keys.shift), kind: t.Kind, days: b.days, name: b.subject}, nil
}

// dateShift moves all dates of one subject by the same number of days, so that
// the time between them stays.
type dateShift struct {
	keyed
	kind    Kind
	days    int
	name    string
	subject int // column of the subject's key
	column  Column
	key     value
}

// subjectKinds are the kinds that have a canonical form in both formats.
var subjectKinds = append([]Kind{KindText, KindBPChar, KindUUID, KindNumeric}, integerKinds...)

// bind finds the subject's column among those of the result.
func (m *dateShift) bind(cols []Column) error {
	m.subject = -1
	for i, col := range cols {
		if col.Name != m.name {
			continue
		}
		if m.subject >= 0 {
			return fmt.Errorf("its subject %q names two columns of the result; give them different names", m.name)
		}
		m.subject, m.column = i, col
	}
	if m.subject < 0 {
		return fmt.Errorf("its subject column %q is not in the result; select it too", m.name)
	}
	if !slices.Contains(subjectKinds, m.column.Type.Kind) {
		return errors.New("its subject column must be text, an integer, numeric or uuid, not " + m.column.Type.String())
	}
	return nil
}

func (m *dateShift) apply(v *value, row Row) bool {
	if row == nil {
		return false
	}
	cell := row.Cell(m.subject)
	if cell == nil || !decode(&m.column.Type, m.column.Format, cell, &m.key) {
		return false
	}
	// 1 to 2·days without zero: −days to −1 and 1 to days.
	shift := int64(binary.BigEndian.Uint64(m.digest(&m.column.Type, &m.key))%uint64(2*m.days)) - int64(m.days)
	if shift >= 0 {
		shift++
	}
	if m.kind != KindDate {
		shift *= microsDay
	}
	v.n += shift
	return true
}
