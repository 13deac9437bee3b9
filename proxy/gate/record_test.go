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
		{"SELECT password/*x*/('pw')", true},
		{"SELECT password -- x\n ('pw')", true},
		{"SELECT password # (\n ('pw')", true},
		{"SELECT password /*M!100100 ('pw')*/", true},
		{"SELECT password /**/ /*!50000 ( 'pw' ) */", true},
		{"SELECT '/*', password('pw'), '*/'", true},
		{"ALTER ROLE r PASSWORD 'pw'", true},
		{"ALTER ROLE r ENCRYPTED PASSWORD /* x */ E'pw'", true},
		{"ALTER ROLE r PASSWORD U&'pw'", true},
		{"ALTER ROLE r PASSWORD $$pw$$", true},
		{"CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'pw')", true},
		{"SELECT dblink_connect('host=h password=pw')", true},
		{"SELECT password_hint FROM t WHERE note = 'x'", false},
		{"SET DEFAULT ROLE r", false},
		{"SELECT id, password FROM t", false},
		{"UPDATE t SET name = 'x'", false},
	} {
		if got := secret(nil, c.text); got != c.want {
			t.Errorf("%s: secret is %v, want %v", c.text, got, c.want)
		}
	}
}
