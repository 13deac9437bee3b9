package aws_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/secrets/aws"
)

// serve answers GetSecretValue of JSON 1.1 as it is documented.
func serve(w http.ResponseWriter, r *http.Request) {
	var q struct{ SecretId, VersionId, VersionStage string }
	_ = json.NewDecoder(r.Body).Decode(&q)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	values := map[string]string{
		"db/app": `{"username":"app","password":"current"}`, "db/app AWSPREVIOUS": `{"username":"app","password":"previous"}`,
		"db/app 11111111-2222-3333-4444-555555555555":                `{"password":"by id"}`,
		"arn:aws:secretsmanager:eu-west-1:000000000000:secret:x-AbC": "plain"}
	value, ok := values[strings.TrimSpace(q.SecretId+" "+q.VersionId+q.VersionStage)]
	fault := ""
	switch {
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/secretsmanager/"):
		fault = "UnrecognizedClientException"
	case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		fault = "UnknownOperationException"
	case !ok:
		fault = "ResourceNotFoundException"
	}
	if fault != "" {
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"__type":%q,"Message":"not so"}`, fault)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"Name": q.SecretId, "SecretString": value})
}

func TestRead(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(serve))
	defer s.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "swordfish", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	r := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"aws": aws.Open(aws.Options{Endpoint: s.URL})}})
	defer r.Close()
	for _, c := range []struct{ text, secret, fault string }{
		{"${aws:db/app#password}", "current", ""},
		{"${aws:db/app?stage=AWSPREVIOUS#password}", "previous", ""},
		{"${aws:db/app?version=11111111-2222-3333-4444-555555555555#password}", "by id", ""},
		{"${aws:arn:aws:secretsmanager:eu-west-1:000000000000:secret:x-AbC}", "plain", ""},
		{"${aws:db/none}", "", "ResourceNotFoundException"},
		{"${aws:db/app#none}", "", "no field"},
		{"${aws:arn:aws:secretsmanager:eu-west-1:000000000000:secret:x-AbC#a}", "", "not a JSON object"},
	} {
		check(t, r, c.text, c.secret, c.fault)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
	other := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"aws": aws.Open(aws.Options{Endpoint: s.URL})}})
	defer other.Close()
	check(t, other, "${aws:db/app#password}", "", "UnrecognizedClientException")
	t.Setenv("AWS_REGION", "")
	nowhere := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"aws": aws.Open(aws.Options{Endpoint: s.URL})}})
	defer nowhere.Close()
	check(t, nowhere, "${aws:db/app#password}", "", "no region")
}

func check(t *testing.T, r *secrets.Resolver, text, secret, fault string) {
	t.Helper()
	ref, err := secrets.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Resolve(t.Context(), ref)
	switch {
	case fault == "" && (err != nil || v.Reveal() != secret):
		t.Errorf("%s: %q, %v", text, v.Reveal(), err)
	case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
		t.Errorf("%s: %v, want an error with %q", text, err, fault)
	case err != nil && strings.Contains(err.Error(), "swordfish"):
		t.Errorf("%s: a secret shows: %v", text, err)
	}
}
