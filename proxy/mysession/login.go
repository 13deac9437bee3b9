package mysession

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
)

// splitName cuts a login name at its last @ into user and datasource, if the
// listener serves one of that name; else all of it is the user.
func (f *front) splitName(name string) {
	f.user, f.named = name, ""
	if i := strings.LastIndexByte(name, '@'); i > 0 && i+1 < len(name) && f.options.Datasource(f.conn.Listener.Name, name[i+1:]) != nil {
		f.user, f.named = name[:i], name[i+1:]
	}
}

// exchange is one authentication exchange with the client.
type exchange struct {
	plugin   string
	nonce    []byte
	response []byte
}

// prove says who the client is.
func (f *front) prove(ctx context.Context) error {
	return f.authenticate(ctx, exchange{plugin: f.login.AuthPlugin, nonce: f.nonce, response: f.login.AuthResponse})
}

// authenticate proves who the client is. An unknown datasource takes the same
// steps.
func (f *front) authenticate(ctx context.Context, x exchange) error {
	ctx, cancel := context.WithDeadline(ctx, f.limit)
	defer cancel()
	identity, err := f.identify(ctx, x)
	var failure *auth.Failure
	var own *ended
	switch {
	case err == nil:
		f.identity = identity
		return nil
	case errors.As(err, &failure):
		f.options.Gate.Rejected(ctx, f.subject(), string(failure.Reason))
		host, _, _ := net.SplitHostPort(f.conn.RemoteAddr().String())
		e := endWith(proxy.EndLoginFailed, mywire.ErrAccessDenied, mywire.StateInvalidPassword,
			fmt.Sprintf("Access denied for user '%s'@'%s' (using password: YES)", f.user, host))
		if failure.Reason == auth.ReasonThrottled {
			e = endWith(proxy.EndLoginFailed, mywire.ErrAccessDenied, mywire.StateInvalidPassword, "Access denied: "+failure.Public)
		}
		e.cause = failure
		return e
	case errors.As(err, &own), isWire(err):
		return err
	}
	e := endWith(proxy.EndInternal, mywire.ErrUnknown, mywire.StateGeneral, "Users cannot be looked up now; try again later")
	e.cause = err
	return e
}

// isWire says that an error comes from the client's connection.
func isWire(err error) bool {
	var wire *wireError
	return errors.As(err, &wire)
}

// wireError marks an error of the client's connection among those of others.
type wireError struct{ error }

func (e *wireError) Unwrap() error { return e.error }

// identify logs in by a certificate that names the user, and by password
// otherwise.
func (f *front) identify(ctx context.Context, x exchange) (*auth.Identity, error) {
	if f.options.CertificateLogin && f.tls != nil && len(f.tls.VerifiedChains) > 0 {
		identity, err := f.options.Auth.Certificate(ctx, f.tls.VerifiedChains[0], f.user)
		var failure *auth.Failure
		if !errors.As(err, &failure) {
			return identity, err
		}
	}
	x, err := f.arrange(x)
	if err != nil {
		return nil, err
	}
	return f.options.Throttle.Guard(f.user, f.conn.RemoteAddr(), func() (*auth.Identity, error) {
		if x.plugin == mywire.PluginCleartext {
			return f.checkText(ctx, x.response)
		}
		if x.plugin != mywire.PluginSHA2 {
			identity, err := f.kept(ctx, x)
			if identity != nil || err != nil {
				return identity, err
			}
			// What comes now comes to everybody: without a user, and without a verifier.
			if x.plugin == mywire.PluginEd25519 { // many clients switch once only
				return nil, f.options.Auth.Refuse(ctx, f.user, x.plugin)
			}
			if x, err = f.switchTo(mywire.PluginSHA2, f.nonce); err != nil {
				return nil, err
			}
		}
		return f.sha2(ctx, x)
	})
}

// arrange makes the client answer by a plugin whose answers weir can check. What
// a client names first is what the greeting proposed or its own favourite; it may
// know others.
func (f *front) arrange(x exchange) (exchange, error) {
	plugins := f.options.Plugins
	if f.options.Auth.Outside(f.user) { // nothing is kept
		plugins = nil
	}
	switch kept := slices.Contains(plugins, x.plugin); {
	case x.plugin == mywire.PluginCleartext && f.tls != nil, len(x.response) > 0 && (x.plugin == mywire.PluginSHA2 || kept && x.plugin == mywire.PluginNative):
		return x, nil
	case kept && x.plugin == mywire.PluginNative, x.plugin == mywire.PluginSHA2: // a client that was asked for another one waits with the answer
		return f.switchTo(x.plugin, x.nonce)
	case kept && x.plugin == mywire.PluginEd25519, len(plugins) > 0 && plugins[0] == mywire.PluginEd25519:
		nonce := make([]byte, mywire.Ed25519NonceLen)
		_, _ = rand.Read(nonce) // never fails
		return f.switchTo(mywire.PluginEd25519, nonce)
	}
	return f.switchTo(mywire.PluginSHA2, x.nonce)
}

// kept checks the answer by the verifier that is kept for its plugin, or gives nil.
func (f *front) kept(ctx context.Context, x exchange) (*auth.Identity, error) {
	verify := mywire.VerifyNative
	if x.plugin == mywire.PluginEd25519 {
		verify = mywire.VerifyEd25519
	}
	identity, verifier, err := f.options.Auth.Kept(ctx, f.user, x.plugin, func(v []byte) bool { return verify(x.response, x.nonce, v) })
	if identity != nil && f.certificate != nil {
		f.proof = mywire.CertificateProof(verifier, f.nonce, f.certificate)
	}
	return identity, err
}

// switchTo asks the client to go on with another plugin.
func (f *front) switchTo(plugin string, nonce []byte) (exchange, error) {
	response, err := f.ask(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: plugin, Data: nonce}))
	return exchange{plugin, nonce, response}, err
}

// ask sends a packet of the exchange and copies the answer.
func (f *front) ask(packet []byte) ([]byte, error) {
	if err := errors.Join(f.out.Packet(packet), f.out.Flush()); err != nil {
		return nil, &wireError{err}
	}
	f.in.SetSeq(f.out.Seq())
	body, err := f.in.Body(maxLogin)
	if err != nil {
		return nil, &wireError{err}
	}
	answer := append([]byte(nil), body...)
	if err := f.in.Discard(); err != nil {
		return nil, &wireError{err}
	}
	f.out.SetSeq(f.in.Seq())
	return answer, nil
}

// sha2 runs caching_sha2_password: the fast path, or the password itself, which
// comes under TLS or encrypted with weir's key.
func (f *front) sha2(ctx context.Context, x exchange) (*auth.Identity, error) {
	identity, err := f.options.Auth.Scrambled(ctx, f.user, x.nonce, x.response)
	if err != nil {
		return nil, err
	}
	if identity != nil {
		if err := f.out.Packet(mywire.AppendAuthMoreData(nil, []byte{mywire.SHA2FastOK})); err != nil {
			return nil, &wireError{err}
		}
		return identity, nil
	}
	answer, err := f.ask(mywire.AppendAuthMoreData(nil, []byte{mywire.SHA2FullAuth}))
	if err != nil {
		return nil, err
	}
	if f.tls != nil {
		return f.checkText(ctx, answer)
	}
	return f.checkEncrypted(ctx, answer, x.nonce)
}

// checkText checks a password in clear.
func (f *front) checkText(ctx context.Context, text []byte) (*auth.Identity, error) {
	password, err := mywire.ParsePasswordText(text)
	if err != nil {
		return nil, &wireError{err}
	}
	return f.options.Auth.Password(ctx, f.user, string(password))
}

// checkEncrypted checks a password that comes encrypted. Only listeners that
// take clients without TLS get here.
func (f *front) checkEncrypted(ctx context.Context, answer, nonce []byte) (*auth.Identity, error) {
	key, err := f.handler.rsaKey()
	if err != nil {
		return nil, err
	}
	if len(answer) == 1 && answer[0] == mywire.SHA2RequestKey {
		text, err := mywire.PublicKeyText(&key.PublicKey)
		if err != nil {
			return nil, err
		}
		if answer, err = f.ask(mywire.AppendAuthMoreData(nil, text)); err != nil {
			return nil, err
		}
	}
	password, err := mywire.DecryptPassword(answer, nonce, key)
	if err != nil {
		password = nil // as wrong as any other
	}
	return f.options.Auth.Password(ctx, f.user, string(password))
}

// chooseDatasource finds the datasource that the login names, or the one that
// the listener serves. Only somebody who has logged in learns whether it exists.
func (f *front) chooseDatasource(context.Context) error {
	if f.datasource = f.options.Datasource(f.conn.Listener.Name, f.named); f.datasource == nil {
		return endWith(proxy.EndConnectDenied, mywire.ErrBadDatabase, mywire.StateAccess,
			"The login does not say which datasource; log in as user@datasource")
	}
	return nil
}

// subject is who connects to what, as far as is known.
func (f *front) subject() gate.Subject {
	s := gate.Subject{SessionID: f.conn.ID, Address: f.conn.RemoteAddr(), TLS: f.tls != nil}
	for _, a := range f.login.Attributes {
		if a.Name == "program_name" || a.Name == "_client_name" && s.Application == "" {
			s.Application = a.Value
		}
	}
	if f.identity != nil {
		s.Identity = *f.identity
	} else {
		s.Identity.Name = f.user
	}
	if f.datasource != nil {
		s.Target = f.datasource.Target
	} else {
		s.Target.Datasource, s.Target.Engine = f.named, engineMySQL
	}
	return s
}

// connect asks the gate, connects to the database and makes the session. The
// session's owner runs it or closes it.
func (f *front) connect(ctx context.Context) (*session, error) {
	s := newSession(f)
	if err := s.attach(ctx, f.login.Database, f.login.Collation); err != nil {
		return nil, err
	}
	// Whoever was disabled since the proof was not in the registry to be ended.
	if f.options.Recheck != nil {
		if err := f.options.Recheck(ctx, f.identity); err != nil {
			s.End(proxy.EndUserDisabled)
		}
	}
	return s, nil
}

// attach opens the gate's session and the server's connection for the present
// identity and datasource. On an error nothing of it is left.
func (s *session) attach(ctx context.Context, database string, collation byte) error {
	subject := s.subject()
	subject.Type = maskType
	judge, err := s.options.Gate.Connect(ctx, subject)
	if err != nil {
		return denied(err)
	}
	s.gate = judge
	// From here on the gate wants to hear of the end.
	if err := s.enter(ctx, database, collation); err != nil {
		s.gate.Close(err.reason.String())
		return err
	}
	login := proxy.Login{ID: s.conn.ID, UserID: s.identity.ID, User: s.identity.Name,
		Datasource: s.datasource.Target.Datasource, Client: addrPort(s.conn.RemoteAddr()), TLS: s.tls != nil, Since: time.Now(), Version: s.identity.Version}
	if err := s.conn.Server.Register(login, s); err != nil {
		_ = s.up.Close()
		s.gate.Close(proxy.EndLimitUser.String())
		return endWith(proxy.EndLimitUser, mywire.ErrTooManyConnections, mywire.StateRefused, err.Error())
	}
	s.handler.connections.set(s.id, s)
	return nil
}

// enter connects to the server and sets the session up.
func (s *session) enter(ctx context.Context, database string, collation byte) *ended {
	ctx, cancel := context.WithDeadline(ctx, s.limit)
	defer cancel()
	if err := s.dial(ctx, collation); err != nil {
		return err
	}
	err := s.settle(ctx)
	if err == nil && database == "" {
		database = s.datasource.Upstream.Database
		if database != "" {
			err = s.useUnjudged(database)
		}
	} else if err == nil {
		err = s.useAtLogin(ctx, database)
	}
	if err == nil {
		return nil
	}
	_ = s.up.Close()
	return upstreamError(err)
}

// denied is the end of a connection that the gate refuses.
func denied(err error) *ended {
	var d *gate.Denial
	if !errors.As(err, &d) {
		return end(proxy.EndInternal, err)
	}
	e := endWith(proxy.EndConnectDenied, mywire.ErrDBAccessDenied, mywire.StateAccess, denialText(d))
	e.cause = err
	return e
}

// legs are the flags that mean the same on both legs: the server has to know
// them for the client's sake.
const legs = mywire.CapFoundRows | mywire.CapODBC | mywire.CapLocalFiles | mywire.CapIgnoreSpace | mywire.CapInteractive |
	mywire.CapExtendedMetadata | mywire.CapBulkOperations

// dial connects to the database. What the client hears of a failure names no
// address. The connection allows one statement at a time.
func (s *session) dial(ctx context.Context, collation byte) *ended {
	cfg := s.datasource.Upstream
	cfg.Database = ""
	cfg.Capabilities = s.caps&legs | mywire.CapDeprecateEOF
	if s.datasource.Target.ReadOnly {
		cfg.Capabilities &^= mywire.CapLocalFiles
	}
	cfg.Collation = collation
	cfg.MaxPacket = s.login.MaxPacket
	cfg.Attributes = s.login.Attributes
	cfg.Reader = mywire.ReaderOptions{Buffers: s.options.Buffers, Stall: s.options.Stall}
	cfg.Writer = mywire.WriterOptions{Buffers: s.options.Buffers}
	dial := s.datasource.Dial
	if dial == nil {
		dial = upstream.Dial
	}
	up, err := dial(ctx, cfg)
	if err == nil {
		s.mu.Lock()
		s.up, s.redial = up, dial
		s.mu.Unlock()
		s.tracking = tracking{} // another server may have other variables
		s.datasource.greeted.Store(&greeted{version: up.ServerVersion, collation: up.Collation, mariaDB: up.MariaDB})
		return nil
	}
	var server *mywire.ServerError
	var login *upstream.AuthError
	if errors.As(err, &server) || errors.As(err, &login) {
		return end(proxy.EndUpstreamRefused, err)
	}
	return end(proxy.EndUpstreamUnreachable, err)
}

func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String()) // zero for other networks
	return ap
}
