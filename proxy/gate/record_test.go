package gate

import "testing"

func TestTextsWithPasswordsAreSecret(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"GRANT ALL ON *.* TO u IDENTIFIED BY 'pw'", true},
		{"create user u identified/**/via ed25519 using 'x'", true},
		{"SET PASSWORD FOR u = 'pw'", true},
		{"SET/**/PASSWORD TO RANDOM", true},
		{"SELECT PASSWORD ('pw')", true},
		{"CHANGE MASTER TO MASTER_PASSWORD='pw'", true},
		{"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'pw'", true},
		{"SET DEFAULT ROLE r", false},
		{"SELECT id, password FROM t", false},
		{"UPDATE t SET name = 'x'", false},
	} {
		if got := secret(nil, c.text); got != c.want {
			t.Errorf("%s: secret is %v, want %v", c.text, got, c.want)
		}
	}
}
