package mysession

import "testing"

func TestAboutLast(t *testing.T) {
	for text, want := range map[string]bool{
		"SHOW WARNINGS":                                   true,
		" show  errors limit 1, 2 ;":                      true,
		"SHOW COUNT(*) WARNINGS":                          true,
		"get diagnostics @a = NUMBER, @b=ROW_COUNT":       true,
		"GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT;":  true,
		"SELECT @@warning_count":                          true,
		"SELECT @@session.error_count;":                   true,
		"SHOW WARNINGS; SELECT 1":                         false,
		"SHOW WARNINGS /*! , 1 */":                        false,
		"SELECT @@warning_count, 1":                       false,
		"GET DIAGNOSTICS @a = (SELECT 1)":                 false,
		"GET DIAGNOSTICS CONDITION 1 @`m` = MESSAGE_TEXT": false,
		"SELECT 1":                       false,
		"SHOW WARNINGS LIMIT (SELECT 1)": false,
		"":                               false,
	} {
		if got := aboutLast.MatchString(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
