package control_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirdb/weir/control"
)

// desk is an issuer that a test scripts by the password.
type desk struct {
	mu      sync.Mutex
	from    net.Addr
	entered chan struct{}
	wait    chan struct{}
}

func (d *desk) Issue(_ context.Context, from net.Addr, r control.Request) (control.Grant, error) {
	d.mu.Lock()
	d.from = from
	d.mu.Unlock()
	switch r.Password {
	case "right":
		return control.Grant{User: r.User, Password: "secret", Places: []control.Place{{Datasource: r.Datasource}}}, nil
	case "wrong":
		return control.Grant{}, &control.Refusal{Status: http.StatusUnauthorized, Message: "no", Cause: errors.New("why")}
	case "slow":
		d.entered <- struct{}{}
		<-d.wait
	}
	return control.Grant{}, errors.New("inner workings")
}

func (d *desk) Revoke(context.Context, net.Addr, control.Request) error { return nil }

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestLogins(t *testing.T) {
	d := &desk{entered: make(chan struct{}), wait: make(chan struct{})}
	var log bytes.Buffer
	l, err := control.StartLogins(context.Background(), control.LoginOptions{Address: "127.0.0.1:0", TLS: certificate(t), Issuer: d,
		Providers: []control.Provider{{Name: "cloud", Issuer: "https://id.example", ClientID: "weir", Scope: "openid"}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	send := func(method, path, kind, body string) (int, string) {
		request, err := http.NewRequest(method, "https://"+l.Address()+path, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		request.Header.Set("Content-Type", kind)
		response, err := client.Do(request)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		if response.StatusCode == 200 && response.Header.Get("Cache-Control") != "no-store" {
			t.Error("an answer may be kept")
		}
		return response.StatusCode, string(text)
	}
	const form = "application/json"
	for name, c := range map[string]struct {
		method, path, kind, body string
		status                   int
		want                     string
	}{
		"providers":         {"GET", "/v1/login", "", "", 200, `"issuer":"https://id.example","client_id":"weir"`},
		"right":             {"POST", "/v1/sessions", form, `{"user":"ana","password":"right","datasource":"shop"}`, 200, `"password":"secret"`},
		"wrong":             {"POST", "/v1/sessions", form, `{"user":"ana","password":"wrong"}`, 401, `{"error":"no"}`},
		"broken":            {"POST", "/v1/sessions", form, `{"user":"ana","password":"?"}`, 503, "try again later"},
		"revoked":           {"POST", "/v1/sessions/revoke", form, `{"user":"ana","password":"right"}`, 200, "revoked"},
		"a form":            {"POST", "/v1/sessions", "application/x-www-form-urlencoded", `{"user":"ana","password":"right"}`, 400, "JSON object"},
		"text":              {"POST", "/v1/sessions", "text/plain", `{"user":"ana","password":"right"}`, 400, "JSON object"},
		"no password":       {"POST", "/v1/sessions", form, `{"user":"ana"}`, 400, "JSON object"},
		"nobody":            {"POST", "/v1/sessions", form, `{"password":"right"}`, 400, "JSON object"},
		"an unknown member": {"POST", "/v1/sessions", form, `{"user":"ana","password":"right","role":"owner"}`, 400, "JSON object"},
		"not JSON":          {"POST", "/v1/sessions", form, `user`, 400, "JSON object"},
		"too long":          {"POST", "/v1/sessions", form, `{"user":"` + strings.Repeat("a", 70000) + `","password":"right"}`, 400, "JSON object"},
		"another method":    {"GET", "/v1/sessions", "", "", 405, ""},
		"elsewhere":         {"GET", "/", "", "", 404, ""},
	} {
		if status, text := send(c.method, c.path, c.kind, c.body); status != c.status || !strings.Contains(text, c.want) || strings.Contains(text, "inner workings") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if a, ok := d.from.(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		t.Errorf("from %v", d.from)
	}
	var slow sync.WaitGroup
	for range 64 {
		slow.Go(func() { send("POST", "/v1/sessions", form, `{"user":"ana","password":"slow"}`) })
		<-d.entered
	}
	if status, text := send("POST", "/v1/sessions", form, `{"user":"ana","password":"right"}`); status != 503 || !strings.Contains(text, "too many") {
		t.Errorf("one more: %d %s", status, text)
	}
	close(d.wait)
	slow.Wait()
	plain, err := http.Get("http://" + l.Address() + "/v1/login")
	if err == nil {
		if plain.Body.Close(); plain.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", plain.Status)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if strings.Contains(log.String(), "right") || !strings.Contains(log.String(), "inner workings") {
		t.Errorf("the log: %s", log.String())
	}
}
