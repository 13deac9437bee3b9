package mysql

import (
	"context"
	"strings"
	"testing"
)

func TestParseServer(t *testing.T) {
	for _, c := range []struct {
		version, comment string
		maria            bool
		want             int
	}{
		{"10.11.19-MariaDB-0+deb12u1", "Debian 12", true, 101119},
		{"5.5.5-10.11.19-MariaDB-log", "", true, 101119},
		{"11.4.2", "mariadb.org binary distribution", true, 110402},
		{"8.0.36", "MySQL Community Server - GPL", false, 80036},
		{"8.4.0-commercial", "", false, 80400},
		{"9.1", "", false, 901},
		{"x", "", false, 0},
	} {
		s := ParseServer(c.version, c.comment)
		if s.MariaDB != c.maria || s.Version != c.want {
			t.Errorf("%s: %+v", c.version, s)
		}
	}
}

// liar is a server that runs other comments than those of its version.
type liar struct{ version, comments []string }

func (l *liar) Close() error { return nil }

func (l *liar) Query(_ context.Context, sql string, row func([][]byte) error) error {
	answer := l.version
	switch {
	case strings.HasPrefix(sql, "SET"):
		return nil
	case strings.Contains(sql, "/*M!"):
		answer = l.comments
	}
	cells := make([][]byte, len(answer))
	for i := range answer {
		cells[i] = []byte(answer[i])
	}
	return row(cells)
}

func TestServerThatLies(t *testing.T) {
	for _, l := range []*liar{
		{[]string{"8.0.36", "", "0", "", "utf8mb4"}, []string{"2", "1", "0"}},
		{[]string{"10.11.3-MariaDB", "", "0", "", "utf8mb4"}, []string{"2", "1", "1"}},
		{[]string{"10.11.3-MariaDB", "", "0", "", "utf8mb4"}, []string{"2", "0", "0"}},
	} {
		if _, err := Load(t.Context(), l, nil); err == nil || !strings.Contains(err.Error(), "runs the comments of another") {
			t.Errorf("%s: %v", l.version[0], err)
		}
	}
}
